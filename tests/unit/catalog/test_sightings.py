"""When a wait is over: enough images, unchanged for long enough."""

from __future__ import annotations

import pytest

from airflow_provider.earthengine.catalog.waiting import Sighting, Wait, read_sighting

SEEN = Sighting(3, "2021-01-09T00:00:00+00:00", 100.0)


@pytest.mark.parametrize(
    ("wait", "now", "is_over"),
    [
        (Wait("c", 3), 100.0, True),
        (Wait("c", 4), 100.0, False),
        (Wait("c", 3, 10.0), 109.9, False),
        (Wait("c", 3, 10.0), 110.0, True),
        (Wait("c", 4, 10.0), 200.0, False),
    ],
)
def test_a_wait_is_over_once_enough_images_have_been_quiet(
    wait: Wait, now: float, is_over: bool
) -> None:
    assert SEEN.ends(wait, now) == is_over


@pytest.mark.parametrize(
    ("earlier", "is_like", "since"),
    [
        (None, False, 100.0),
        (Sighting(3, SEEN.latest_update, 40.0), True, 40.0),
        # A clock that was set back.
        (Sighting(3, SEEN.latest_update, 140.0), True, 100.0),
        (Sighting(2, SEEN.latest_update, 40.0), False, 100.0),
        (Sighting(3, None, 40.0), False, 100.0),
    ],
)
def test_quiet_begins_where_nothing_has_changed_since(
    earlier: Sighting | None, is_like: bool, since: float
) -> None:
    assert SEEN.is_like(earlier) == is_like
    assert SEEN.after(earlier) == Sighting(3, SEEN.latest_update, since)


def test_what_is_waited_for_is_said() -> None:
    wait = Wait("A/B", 3, 60)
    assert wait.action == "look for images of A/B"
    assert SEEN.describe(wait) == (
        "3 of at least 3 images of A/B, which must stay unchanged for 60 s"
    )
    assert SEEN.describe(Wait("A/B", 3)) == "3 of at least 3 images of A/B"
    assert SEEN.describe(Wait("A/B", 4, 60)) == "3 of at least 4 images of A/B"


def test_an_answer_is_what_was_seen_at_that_time() -> None:
    answer = [3, {"max": 1_610_150_400_000_000, "min": 1}]
    assert read_sighting(answer, 100.0) == SEEN
    assert read_sighting([0, {"max": None}], 7.5) == Sighting(0, None, 7.5)
