import pickle

import pytest

from airflow_provider.earthengine import exceptions
from airflow_provider.earthengine.exceptions import EarthEngineProviderError, raise_alone

ALL = [
    value
    for value in vars(exceptions).values()
    if isinstance(value, type) and issubclass(value, EarthEngineProviderError)
]


@pytest.mark.parametrize("cls", ALL)
def test_an_error_crosses_process_borders_with_its_words_and_facts(
    cls: type[EarthEngineProviderError],
) -> None:
    error = cls("It failed.", server_text="Too Many Requests", status=429, retry_after_seconds=3)

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is cls
    assert str(copy) == "It failed. The server said: Too Many Requests"
    assert copy.facts == {"status": 429, "retry_after_seconds": 3}


def test_an_error_that_is_raised_alone_has_no_past() -> None:
    def fail() -> None:
        try:
            raise ValueError("GET https://host/secret")
        except ValueError:
            raise_alone(EarthEngineProviderError("It failed."))

    with pytest.raises(EarthEngineProviderError) as caught:
        fail()
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_servers_text_is_cut() -> None:
    error = EarthEngineProviderError("It failed.", server_text="x" * 10_000)

    assert str(error) == f"It failed. The server said: {'x' * 500}"


@pytest.mark.parametrize("cls", ALL)
def test_the_tree_in_the_module_docstring_names_every_class(
    cls: type[EarthEngineProviderError],
) -> None:
    assert exceptions.__doc__ is not None
    builtin = cls.__mro__[[base.__module__ for base in cls.__mro__].index("builtins")].__name__
    line = next(
        line for line in exceptions.__doc__.splitlines() if f" {cls.__name__} " in f"{line} "
    )
    assert builtin == "Exception" or f"({builtin})" in line
