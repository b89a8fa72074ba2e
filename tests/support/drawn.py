"""How many examples does a drawn test take? Few, always the same; by `make fuzz`, many new ones.

The conftest registers both profiles, before any module of tests is imported.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

FIXED = "fixed"
FUZZ = "fuzz"
_TIMES_AS_MANY = 20


def register_profiles() -> None:
    """Make `fixed` the profile; pytest's ``--hypothesis-profile=fuzz`` takes the other."""
    # How long an example takes says something of the machine, not of the code.
    patient: dict[str, Any] = {
        "deadline": None, "suppress_health_check": [HealthCheck.too_slow],
    }  # fmt: skip
    settings.register_profile(FIXED, derandomize=True, database=None, **patient)
    settings.register_profile(
        FUZZ, max_examples=100 * _TIMES_AS_MANY, derandomize=False, print_blob=True, **patient
    )
    settings.load_profile(FIXED)


def examples(count: int, **more: Any) -> settings:
    """Return settings for so many examples, or under `make fuzz` for twenty times as many."""
    return settings(max_examples=times_as_many(count), **more)


def times_as_many(count: int) -> int:
    """Return the count, or under `make fuzz` twenty times that."""
    return count * (_TIMES_AS_MANY if is_fuzz() else 1)


def is_fuzz() -> bool:
    """Return whether new examples are drawn, not the same each time."""
    return settings.get_current_profile_name() == FUZZ
