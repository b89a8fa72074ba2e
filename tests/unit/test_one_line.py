"""Text of others is one line that hides nothing, wherever errors and logs show it."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.download import foreign
from airflow_provider.earthengine.download.fields import values
from airflow_provider.earthengine.download.publish.writers import Writer
from airflow_provider.earthengine.exceptions import PlanError, ServiceUnavailableError
from airflow_provider.earthengine.one_line import one_line

FORGED = "no\n[2026-01-01] INFO - all is well\x1b[2J\u202egnp.exe\u2028x\x00\u200b\ud800\xa0y"


def test_line_breaks_are_blanks_and_what_cannot_be_printed_is_escaped() -> None:
    assert one_line(FORGED) == (
        "no [2026-01-01] INFO - all is well\\x1b[2J\\u202egnp.exe x\\x00\\u200b\\ud800 y"
    )
    assert one_line("Île-de-France, 北京 50 % \U0001f30d") == "Île-de-France, 北京 50 % \U0001f30d"
    assert one_line("two  blanks") == "two  blanks"


@given(st.text(st.characters(), max_size=200))
def test_any_text_is_one_printable_line_that_utf_8_can_encode(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert one_line(line) == line
    line.encode()


def test_errors_show_servers_texts_and_their_own_in_one_line() -> None:
    error = ServiceUnavailableError(f"It failed ({FORGED}).", server_text=FORGED)
    assert str(error).isprintable()
    assert error.server_text == one_line(FORGED)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.server_text) == (str(error), error.server_text)


def test_errors_are_of_bounded_length() -> None:
    error = PlanError("x" * 1_000_000, server_text="\x1b" * 1_000_000)
    assert len(str(error)) < 5_000
    assert len(error.server_text) == 500


@pytest.mark.parametrize("shown", [values.shown, foreign.shown])
@pytest.mark.parametrize("value", [FORGED, [FORGED], {FORGED: 1}], ids=["text", "list", "dict"])
def test_values_are_shown_in_one_line(shown: object, value: object) -> None:
    assert shown(value).isprintable()  # type: ignore[operator]


def test_names_and_writers_of_others_are_shown_in_one_line() -> None:
    assert values.shown_names([FORGED]).isprintable()
    assert str(Writer(FORGED, FORGED, FORGED)).isprintable()
