from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.layout import item_suffix, read_layout
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo
from airflow_provider.earthengine.download.plan.raster_plan import GridAsk
from airflow_provider.earthengine.download.plan.requests import Download, plan_download
from airflow_provider.earthengine.exceptions import DownloadParamsError, EmptyImageError, PlanError


def info(*bands: tuple[str, str, int, int]) -> ImageInfo:
    transform = (10.0, 0.0, 499980.0, 0.0, -10.0, 4200000.0)
    return ImageInfo(
        tuple(
            BandInfo(name, dtype, PixelGrid("EPSG:32610", transform, width, height))
            for name, dtype, width, height in bands
        ),
        {},
    )


def plan(image: ImageInfo, layout: str = "as_served", **params: Any) -> Download:
    return plan_download(image, read_params(params), layout)


def test_a_mask_byte_is_counted_for_every_sample() -> None:
    image = info(("B3", "uint16", 100, 50), ("B11", "uint8", 50, 25))
    assert plan(image).byte_count == 100 * 50 * 3 + 50 * 25 * 2


def test_exactly_the_limit_is_planned_and_one_row_more_is_not() -> None:
    # 2048 x 2048 x 4 bands x (2 + 1) bytes are 48 MiB.
    bands = [(f"B{index}", "uint16", 2048, 2048) for index in range(4)]
    assert plan(info(*bands)).byte_count == 50_331_648
    bands[0] = ("B0", "uint16", 2048, 2049)
    with pytest.raises(PlanError, match=r"50,337,792 bytes .* at most 50,331,648") as caught:
        plan(info(*bands))
    assert caught.value.facts["byte_count"] == 50_331_648 + 2048 * 3


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (info(("B1", "uint8", 32_769, 1)), "side of 32,769 px"),
        (info(*[(f"B{index}", "uint8", 1, 1) for index in range(1025)]), "1,025 bands"),
        (ImageInfo((BandInfo("B1", "uint8", None),), {}), "no bounds"),
    ],
)
def test_what_no_request_carries_is_refused_with_the_numbers(image: ImageInfo, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        plan(image)


def test_a_grid_without_pixels_is_an_empty_image() -> None:
    with pytest.raises(EmptyImageError, match="does not intersect the image"):
        plan(info(("B1", "uint8", 0, 10)))


def test_the_limits_themselves_are_planned() -> None:
    assert plan(info(("B1", "uint8", 32_768, 1)))
    assert plan(info(*[(f"B{index}", "uint8", 1, 1) for index in range(1024)]))


IMAGE = info(("B3", "uint16", 100, 50), ("B11", "uint16", 100, 50))


@pytest.mark.parametrize(
    ("file_format", "layout", "suffixes", "item"),
    [
        ("GEO_TIFF", "as_served", [".tif"], ".tif.json"),
        ("ZIPPED_GEO_TIFF", "as_served", [".tif"], ".tif.json"),
        ("ZIPPED_GEO_TIFF_PER_BAND", "as_served", [".B3.tif", ".B11.tif"], ".bands.json"),
        ("NPY", "as_served", [".npy"], ".npy.json"),
        ("ZIPPED_GEO_TIFF", "zip", [".tif"], ".zip.json"),
        ("ZIPPED_GEO_TIFF_PER_BAND", "zip", [".B3.tif", ".B11.tif"], ".zip.json"),
    ],
)
def test_names_follow_from_format_and_layout(
    file_format: str, layout: str, suffixes: list[str], item: str
) -> None:
    download = plan(IMAGE, layout, format=file_format)
    assert [raster.suffix for raster in download.rasters] == suffixes
    assert item_suffix(download.params, layout) == item


def test_a_band_s_own_asks_go_before_the_downloads() -> None:
    bands = [{"id": "B3", "crs": "EPSG:4326"}, {"id": "B11", "dimensions": [10, 20]}]
    first, second = plan(IMAGE, bands=bands, crs="EPSG:32610").rasters
    assert first.ask == GridAsk(crs="EPSG:4326")
    assert second.ask == GridAsk(crs="EPSG:32610", dimensions=(10, 20))


@pytest.mark.parametrize(
    ("layout", "params", "words"),
    [
        ("cog", {"format": "NPY"}, "layout is 'cog', but format NPY is an array"),
        ("zip", {"format": "GEO_TIFF"}, "does not zip format GEO_TIFF"),
        ("zip", {"format": "NPY"}, "does not zip format NPY"),
        ("tiff", {}, "use one of cog, as_served, zip"),
    ],
)
def test_a_layout_that_does_not_go_with_the_format_is_refused(
    layout: Any, params: dict[str, Any], words: str
) -> None:
    with pytest.raises(DownloadParamsError, match=words):
        read_layout(layout, read_params(params))


def test_what_fits_one_request_has_no_tiles_and_what_does_not_has() -> None:
    small = plan(info(("B3", "uint16", 4000, 4000)), "cog", format="GEO_TIFF")
    assert (small.tiles, small.request_count) == ((), 1)
    large = plan(info(("B3", "uint16", 8000, 8000)), "cog", format="GEO_TIFF")
    assert large.request_count == len(large.tiles) == 4
    assert large.raster_byte_count == 8000 * 8000 * 2


def test_bands_of_their_own_files_are_fetched_together_if_they_are_alike() -> None:
    image = info(
        *(("B3", "uint16", 8000, 8000), ("B11", "uint16", 4000, 4000)),
        *(("B4", "uint16", 8000, 8000), ("SCL", "uint8", 4000, 4000)),
    )
    groups = plan(image, "cog").groups
    assert [tuple(band.id for band in group.bands) for group in groups] == [
        ("B3", "B4"),
        ("B11",),
        ("SCL",),
    ]
    # Where each goes: the raster of its own, in the order that was asked for.
    assert [group.places for group in groups] == [((0, 1), (2, 1)), ((1, 1),), ((3, 1),)]


def test_bands_of_one_file_lie_in_the_grid_around_them() -> None:
    grid = PixelGrid("EPSG:32610", (10.0, 0.0, 499980.0, 0.0, -10.0, 4200000.0), 5000, 5000)
    image = ImageInfo(
        (BandInfo("a", "float64", grid), BandInfo("b", "float64", grid.window(0, 0, 4000, 6000))),
        {},
    )
    (group,) = plan(image, "cog", format="GEO_TIFF").groups
    assert group.grid == grid.window(0, 0, 5000, 6000)


def test_many_bands_of_unlike_types_in_one_file_are_refused() -> None:
    image = info(*((f"B{index}", "uint8" if index else "int16", 10, 10) for index in range(1500)))
    with pytest.raises(PlanError, match="1,500 bands of different types in one file"):
        plan(image, "cog", format="GEO_TIFF")


@pytest.mark.parametrize("term", [float("nan"), float("inf")])
def test_a_transform_that_defines_no_pixels_is_refused(term: float) -> None:
    grid = PixelGrid("EPSG:32610", (term, 0.0, 0.0, 0.0, -10.0, 0.0), 10, 10)
    with pytest.raises(PlanError, match="defines no pixels"):
        plan(ImageInfo((BandInfo("B1", "uint8", grid),), {}), "cog")


def test_a_raster_beyond_counting_is_refused_before_its_tiles_are_counted() -> None:
    with pytest.raises(PlanError, match="limits\\['max_requests'\\] is 10,000"):
        plan(info(("B3", "uint16", 2_000_000_000, 2_000_000_000)), "cog")
