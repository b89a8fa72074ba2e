"""numpy's names of pixel types, and which values they hold. Does not import numpy."""

from __future__ import annotations

from collections.abc import Iterable

_FLOAT32_EXACT_BITS = 16
"""float32 represents all integers of so many bits, but not those of 32 bits."""


def value_range(dtype: str) -> tuple[int, int]:
    """Return the smallest and the largest value of an integer dtype."""
    bits = bit_count(dtype)
    return (0, 2**bits - 1) if dtype[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def bit_count(dtype: str) -> int:
    """Return the bits of one value."""
    return int(dtype.lstrip("uintflo"))


def smallest_dtype(low: float, high: float) -> str:
    """Return numpy's smallest type that holds both; integers above 32 bits arrive as doubles."""
    for bits in (8, 16, 32):
        if low >= 0 and high < 2**bits:
            return f"uint{bits}"
        if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1):
            return f"int{bits}"
    return "float64"


def common_dtype(dtypes: Iterable[str]) -> str:
    """Return the smallest type that holds all values, as a file of bands of these types has."""
    unlike = set(dtypes)
    whole = {dtype for dtype in unlike if not dtype.startswith("float")}
    if whole == unlike:
        lows, highs = zip(*map(value_range, whole), strict=True)
        return smallest_dtype(min(lows), max(highs))
    is_exact = all(bit_count(dtype) <= _FLOAT32_EXACT_BITS for dtype in whole)
    return "float32" if "float64" not in unlike and is_exact else "float64"
