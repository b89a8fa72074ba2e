"""Which type holds the values of several, as numpy says it and Earth Engine's types allow."""

from itertools import combinations_with_replacement

import numpy as np
import pytest

from airflow_provider.earthengine.download.plan.pixel_types import common_dtype, value_range
from airflow_provider.earthengine.download.plan.tiles import bytes_per_sample

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


@pytest.mark.parametrize("dtypes", list(combinations_with_replacement(DTYPES, 2)))
def test_the_type_of_two_is_numpys_or_a_double_where_that_has_64_bits(
    dtypes: tuple[str, str],
) -> None:
    wanted = np.result_type(*dtypes)
    if wanted in (np.int64, np.uint64):
        wanted = np.dtype("float64")
    assert common_dtype(dtypes) == wanted.name
    assert common_dtype(reversed(dtypes)) == wanted.name
    assert bytes_per_sample(common_dtype(dtypes)) == wanted.itemsize


def test_the_type_of_three_holds_them_all() -> None:
    assert common_dtype(["uint8", "int8", "uint16"]) == "int32"
    assert common_dtype(["uint16", "float32", "int16"]) == "float32"


@pytest.mark.parametrize("dtype", DTYPES[:6])
def test_a_range_is_that_of_the_type(dtype: str) -> None:
    assert value_range(dtype) == (np.iinfo(dtype).min, np.iinfo(dtype).max)
