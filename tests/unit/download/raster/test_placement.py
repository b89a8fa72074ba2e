"""Which crs is published: the description's, the file's, or none, and what is said of it."""

from typing import Any

import pytest
from rasterio.crs import CRS

from airflow_provider.earthengine.download.crs import misnamed_crs, resolve_crs
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo
from airflow_provider.earthengine.download.plan.raster_plan import GridAsk, RasterPlan
from airflow_provider.earthengine.download.raster.placement import place_array, place_raster
from airflow_provider.earthengine.exceptions import RasterMismatchError

MODIS = PixelGrid("SR-ORG:6974", (463.3, 0.0, -8895604.0, 0.0, -463.3, 4447802.0), 240, 240)
UTM = PixelGrid("EPSG:32610", (20.0, 0.0, 581260.0, 0.0, -20.0, 4101800.0), 105, 86)
UNKNOWN = PixelGrid("SR-ORG:7619", UTM.transform, UTM.width, UTM.height)
SPHERE = resolve_crs("SR-ORG:6974")


def plan(grid: PixelGrid, ask: GridAsk = GridAsk()) -> RasterPlan:  # noqa: B008  # frozen
    return RasterPlan(".tif", (BandInfo("B3", "uint16", grid),), ask)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("named", "is_misnamed"),
    [
        (SPHERE, False),
        (CRS.from_string("+proj=sinu +R=6371007.181"), False),
        (misnamed_crs("SR-ORG:6974"), True),
        (CRS.from_string("+proj=sinu +datum=WGS84"), True),
        (CRS.from_string("+proj=sinu +ellps=WGS84"), True),
    ],
)
@pytest.mark.parametrize("ask", [GridAsk(), GridAsk("SR-ORG:6974"), GridAsk("sr-org:6842")])
def test_what_files_name_for_modis_is_replaced_by_its_sphere(
    named: Any, is_misnamed: bool, ask: GridAsk
) -> None:
    placed = place_raster(plan(MODIS, ask), MODIS, named)
    assert placed.crs == SPHERE
    assert placed.is_misnamed is is_misnamed
    assert placed.warnings == ()
    assert placed.grid.is_in("SR-ORG:6974")


def test_an_ellipsoid_is_no_other_name_of_a_sphere_that_was_asked_for_by_itself() -> None:
    # Only what Earth Engine is known to misname is forgiven.
    ask = GridAsk(CRS.from_string("+proj=sinu +R=6371007.181").to_wkt())
    with pytest.raises(RasterMismatchError) as caught:
        place_raster(plan(MODIS, ask), MODIS, misnamed_crs("SR-ORG:6974"))
    assert caught.value.facts["field"] == "crs"


@pytest.mark.parametrize("named", [CRS.from_epsg(32611), CRS.from_epsg(26910), None])
def test_another_crs_than_was_asked_for_is_refused(named: Any) -> None:
    with pytest.raises(RasterMismatchError, match="EPSG:32610 was requested"):
        place_raster(plan(UTM, GridAsk("EPSG:32610")), UTM, named)


def test_another_crs_than_was_predicted_is_published_with_a_warning() -> None:
    placed = place_raster(plan(UTM), UTM, CRS.from_epsg(32611))
    assert placed.grid.crs == "EPSG:32611"
    assert placed.warnings == ("The crs is EPSG:32611, but EPSG:32610 was predicted.",)


def test_a_file_without_a_crs_is_placed_by_the_description_with_a_warning() -> None:
    placed = place_raster(plan(UTM), UTM, None)
    assert placed.crs == CRS.from_epsg(32610)
    assert placed.warnings == ("The crs is none, but EPSG:32610 was predicted.",)


def test_what_proj_does_not_know_is_taken_from_the_file_and_said_to_be_unchecked() -> None:
    placed = place_raster(plan(UNKNOWN), UTM, CRS.from_string("+proj=igh +datum=WGS84"))
    assert placed.crs == CRS.from_string("+proj=igh +datum=WGS84")
    (warning,) = placed.warnings
    assert warning.startswith("PROJ does not know SR-ORG:7619, so the file's crs, +proj=igh")
    assert warning.endswith(", is published unchecked.")
    with pytest.raises(
        RasterMismatchError, match="whose crs is none, but SR-ORG:7619 was requested"
    ):
        place_raster(plan(UNKNOWN), UTM, None)


def test_a_raster_without_any_crs_has_none() -> None:
    placed = place_raster(plan(PixelGrid("", UTM.transform, 105, 86)), UTM, None)
    assert (placed.grid.crs, placed.crs, placed.warnings) == ("", None, ())


def test_an_array_is_where_the_description_says() -> None:
    assert place_array(MODIS).crs == SPHERE
    assert place_array(MODIS).grid.crs.startswith("PROJCRS[")
    assert place_array(UTM).grid == UTM
    unknown = place_array(UNKNOWN)
    assert unknown.grid == UNKNOWN
    assert unknown.warnings == ("PROJ does not know SR-ORG:7619, so the item has no geometry.",)
