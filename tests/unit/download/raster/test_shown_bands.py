"""Which bands a picture shows: red, green and blue where they are named, else the first."""

from __future__ import annotations

import pytest

from airflow_provider.earthengine.download.raster.shown_bands import choose_bands

LANDSAT_7 = "LANDSAT/LE07/C02/T1_L2/LE07_214065_20010118"
LANDSAT_8 = "LANDSAT/LC08/C02/T1_L2/LC08_044034_20140318"


@pytest.mark.parametrize(
    ("names", "asset_id", "shown"),
    [
        (["B2", "B3", "B4", "B8"], None, (2, 1, 0)),
        (["B4", "B3", "B2"], "COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG", (0, 1, 2)),
        (["QA", "SR_B2", "SR_B3", "SR_B4"], LANDSAT_8, (3, 2, 1)),
        (["SR_B1", "SR_B2", "SR_B3", "SR_B4"], LANDSAT_7, (2, 1, 0)),
        (["B4", "B3", "B2", "B1"], "LANDSAT/LT05/C02/T1_TOA/LT05_044034_20081021", (1, 2, 3)),
        (["B4", "B3", "B2"], LANDSAT_7, (0,)),
        (["blue", "green", "red"], None, (2, 1, 0)),
        (["Red", "GREEN", "Blue"], None, (0, 1, 2)),
        (["vis-red", "vis-green", "vis-blue"], None, (0, 1, 2)),
        (["R", "G", "B", "N"], "USDA/NAIP/DOQQ/m_4609915_sw_14_1_20100629", (0, 1, 2)),
        (["sur_refl_b01", "sur_refl_b02", "sur_refl_b03", "sur_refl_b04"], None, (0, 3, 2)),
        (["B2_median", "B3_median", "B4_median"], None, (2, 1, 0)),
        (["B4_p50", "B3_p50", "B2_p50"], None, (0, 1, 2)),
        (["B4", "B3"], None, (0,)),
        (["elevation"], None, (0,)),
        (["<script>"], None, (0,)),
        ([f"b{number}" for number in range(1, 65)], None, (3, 2, 1)),
        ([f"x{number}" for number in range(64)], None, (0,)),
    ],
)
def test_the_bands_that_are_shown(
    names: list[str], asset_id: str | None, shown: tuple[int, ...]
) -> None:
    assert choose_bands(names, asset_id) == shown
