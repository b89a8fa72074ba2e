"""Drawn tests draw the same examples each time, except by `make fuzz`."""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings

from tests.support.drawn import FIXED, FUZZ, examples

TESTS = Path(__file__).parents[1]


def test_examples_are_fixed_unless_fuzz_draws_twenty_times_as_many() -> None:
    profile = settings.get_current_profile_name()
    assert profile in {FIXED, FUZZ}
    assert settings().derandomize == (profile == FIXED)
    assert examples(30).derandomize == (profile == FIXED)
    assert examples(30).max_examples == (30 if profile == FIXED else 600)


def test_no_module_makes_settings_of_its_own() -> None:
    users = [
        path.name
        for path in TESTS.rglob("*.py")
        if path != Path(__file__) and "hypothesis import" in (text := path.read_text())
        and ("@settings(" in text or "import settings" in text or ", settings" in text)
    ]  # fmt: skip
    assert users == ["drawn.py"]
