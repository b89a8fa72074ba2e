"""``Image.expression`` and mathematics of pixels, against numpy."""

from __future__ import annotations

from typing import Any

import ee
import numpy as np
import numpy.typing as npt
import pytest

from tests.emulator.official_client import Tiff
from tests.support.expected import SENTINEL2_ID, sentinel2_values

pytestmark = pytest.mark.usefixtures("client")

GRID = {
    "crsCode": "EPSG:32610",
    "affineTransform": {"scaleX": 10, "translateX": 500980, "scaleY": -10, "translateY": 4198000},
    "dimensions": {"width": 16, "height": 10},
}
Numbers = npt.NDArray[np.float64]


def values(band: str) -> Numbers:
    return sentinel2_values(band, 100, 200, 16, 10).astype(np.float64)


NIR, RED, BLUE = values("B8"), values("B4"), values("B2")


def images() -> dict[str, ee.Image]:
    image = ee.Image(SENTINEL2_ID)
    return {
        "NIR": image.select("B8").toDouble(),
        "RED": image.select("B4").toDouble(),
        "BLUE": image.select("B2").toDouble(),
    }


def pixels(image: ee.Image) -> Numbers:
    params = {"expression": image.toDouble(), "fileFormat": "GEO_TIFF", "grid": GRID}
    return Tiff(ee.data.computePixels(params)).bands.astype(np.float64)


def evaluated(text: str) -> Numbers:
    (band,) = pixels(ee.Image(SENTINEL2_ID).expression(text, images()))
    return np.asarray(band)


def test_the_enhanced_vegetation_index_is_that_of_numpy() -> None:
    found = evaluated("2.5 * ((NIR - RED) / (NIR + 6 * RED - 7.5 * BLUE + 1))")
    bottom = NIR + 6 * RED - 7.5 * BLUE + 1
    expected = np.where(bottom == 0, 0, 2.5 * ((NIR - RED) / np.where(bottom == 0, 1, bottom)))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", lambda: 7),
        ("(1 + 2) * 3", lambda: 9),
        ("2 ** 3 ** 2", lambda: 2**9),
        ("-2 ** 2", lambda: -4),
        ("10 - 4 - 3", lambda: 3),
        ("7 % 4", lambda: 3),
        ("1e3 + .5", lambda: 1000.5),
        ("6 & 3 | 8", lambda: 10),
        ("6 ^ 3", lambda: 5),
        ("1 << 4 >> 2", lambda: 4),
        ("!0 && true || false", lambda: 1),
        ("NIR > RED ? NIR : RED", lambda: np.maximum(NIR, RED)),
        ("NIR > RED ? 1 : NIR == RED ? 2 : 3", lambda: np.where(NIR > RED, 1, 3)),
        ("min(NIR, RED) + max(NIR, 5)", lambda: np.minimum(NIR, RED) + np.maximum(NIR, 5)),
        ("sqrt(NIR) * log(RED + 1)", lambda: np.sqrt(NIR) * np.log(RED + 1)),
        ("abs(RED - NIR)", lambda: np.abs(RED - NIR)),
        ("NIR >= 5000 && RED <= 9000", lambda: (NIR >= 5000) & (RED <= 9000)),
        ("NIR.B8 - RED[0] - BLUE['B2']", lambda: NIR - RED - BLUE),
        ("b('B8') - b(\"B4\")", lambda: NIR - RED),
        ("-NIR + +RED", lambda: RED - NIR),
        ("pow(NIR, 0.5)", lambda: np.sqrt(NIR)),
    ],
)
def test_a_formula_is_read_as_arithmetic_is(text: str, expected: Any) -> None:
    found = evaluated(text)
    np.testing.assert_allclose(found, np.broadcast_to(expected(), found.shape), rtol=1e-12)


def test_bands_keep_their_names_or_get_the_assigned_one() -> None:
    image = ee.Image(SENTINEL2_ID)
    assert image.expression("b('B8', 'B4') * 2").bandNames().getInfo() == ["B8", "B4"]
    assert image.expression("evi = b('B8') - 1").bandNames().getInfo() == ["evi"]
    assert image.select(["B8", "B4"]).expression("b()").bandNames().getInfo() == ["B8", "B4"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NIR +", "ends too early"),
        ("NIR RED", "Unexpected 'RED'"),
        ("(NIR", "ends too early"),
        ("NIR $ RED", r"Unexpected '\$'"),
        ("", "ends too early"),
        ("GREEN + 1", "No image 'GREEN' was given"),
        ("teleport(NIR)", "does not support the function 'teleport' in an expression"),
        ("sqrt(NIR, RED)", "'sqrt' takes 1 arguments"),
        ("b('B99')", "Band pattern 'B99' did not match any bands"),
        ("NIR ? 1", "ends too early"),
        ("(" * 100 + "NIR" + ")" * 100, "levels deep"),
        ("-" * 5000 + "NIR", "expressions of more than 400 numbers, names and marks"),
    ],
)
def test_a_formula_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(ee.EEException, match=message):
        ee.Image(SENTINEL2_ID).expression(text, images()).getInfo()


UNARY = {
    "sqrt": np.sqrt, "exp": np.exp, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "log": np.log, "log10": np.log10, "floor": np.floor, "ceil": np.ceil, "atan": np.arctan,
    "round": lambda a: np.floor(a + 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_mathematics_of_pixels_are_those_of_numpy(name: str) -> None:
    scaled = ee.Image(SENTINEL2_ID).select("B8").toDouble().divide(1000).add(0.25)
    (found,) = pixels(getattr(scaled, name)())
    np.testing.assert_allclose(found, UNARY[name](NIR / 1000 + 0.25), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "amount", "expected"),
    [
        ("mod", 7, lambda a: np.fmod(a, 7)),
        ("pow", 2, lambda a: a**2),
        ("leftShift", 3, lambda a: np.minimum(a * 8, 65535)),
        ("rightShift", 3, lambda a: a // 8),
        ("bitwiseXor", 85, lambda a: a.astype(int) ^ 85),
    ],
)
def test_shifts_powers_and_remainders(name: str, amount: int, expected: Any) -> None:
    band = ee.Image(SENTINEL2_ID).select("B8")
    (found,) = pixels(getattr(band, name)(amount))
    np.testing.assert_allclose(found, expected(NIR), rtol=1e-6)


def test_a_long_formula_is_computed() -> None:
    np.testing.assert_allclose(evaluated(" + ".join(["NIR"] * 200)), 200 * NIR)


def test_bits_of_floats_are_refused() -> None:
    with pytest.raises(ee.EEException, match="Bitwise operands must be integer only"):
        ee.Image(1.5).leftShift(1).getInfo()
