"""Which mistakes are put into the code, and that the page says what became of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.reasons import REASONS
from tests.mutants.results import PAGE, filled, read_results
from tests.mutants.rooms import PROJECT, ROOMS, Room
from tests.mutants.sample import Mutant, mutants_of, sample

MODULE = Path("shop/till.py")
SOURCE = """
def pay(amount, log):
    log.info("Paid", amount)
    if amount <= 0:
        raise ValueError(f"An amount of {amount + 1} is no amount.", "write another")
    return send(amount, key="till", text="thank you", strict=True)


def unlike(one):
    return one < 2
"""


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.mutmut]\nsource_paths = ['shop']\n")
    monkeypatch.chdir(tmp_path)


def changes(source: str = SOURCE) -> dict[str, Mutant]:
    return {mutant.after: mutant for mutant in mutants_of(MODULE, source)}


def test_a_mutant_is_one_change_of_a_function() -> None:
    left_out = changes()["return send(amount, text='thank you', strict=True)"]
    assert left_out.name.startswith("shop.till.x_pay__mutmut_")
    assert left_out.text == (
        "till.pay: return send(amount, key='till', text='thank you', strict=True) -> "
        "return send(amount, text='thank you', strict=True)"
    )
    assert "if amount < 0:" in changes()
    assert "return one <= 2" in changes()


def test_what_no_result_depends_on_is_left_as_it_is() -> None:
    for after in changes():
        assert "log" not in after
        assert "strict=False" not in after
        assert "XXthank" not in after
        assert "amount - 1" not in after
    assert "return send(amount, key='till', text='thank you')" not in changes()


def test_a_change_elsewhere_leaves_the_sample_as_it_is() -> None:
    def of_pay(source: str) -> set[str]:
        mutants = [each for each in changes(source).values() if each.function == "pay"]
        return {each.text for each in sample(mutants, 5)}

    assert len(of_pay(SOURCE)) == 5
    assert of_pay(SOURCE) == of_pay(SOURCE.replace("one < 2", "one > 3"))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_rooms_modules_and_tests_are_there(room: Room) -> None:
    for path in (room.source, *room.tests):
        assert (PROJECT / path).exists(), path


def test_the_page_has_the_results_that_were_kept() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text) == text, "run `make mutants`, look at the difference, commit it"


def test_no_reason_is_kept_for_what_no_longer_survives() -> None:
    survivors = {lot for result in read_results().values() for lot in result.survivors}
    assert set(REASONS) <= survivors
