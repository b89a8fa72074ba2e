"""Clients that others wrote, unmodified: geedim, xee, edown and GDAL, each pixel against the
formula.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edown
import ee
import geedim
import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import requests
import xarray

from airflow_provider.earthengine.emulator.access.identities import AuthorizedUser, Identities
from airflow_provider.earthengine.emulator.server import Emulator, serve
from tests.emulator.official_client import reset
from tests.support.expected import SENTINEL2_ID, formula_values, mean_of_2x2, sentinel2_values
from tests.support.service_account import EMAIL, make_key

CATALOG = Path(__file__).parents[1] / "data/catalog"
LANDSAT = "projects/demo/assets/landsat7_olinda"
DAILY = "projects/demo/assets/s2_daily"
TRANSFORM = (10, 0, 499980 + 1000, 0, -10, 4200000 - 2000)
ROWS, COLUMNS = np.arange(200, 210)[:, np.newaxis], np.arange(100, 116)[np.newaxis, :]


def daily(number: int, band: int) -> npt.NDArray[np.float64]:
    """Return a band of an image of the collection in the window, by their 0-based numbers."""
    return formula_values(band, "uint16", ROWS, COLUMNS, number + 1).astype(np.float64)


@pytest.fixture(autouse=True)
def foreign_warnings() -> Iterator[None]:
    """Let these clients, and what they use, warn of what they like."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.usefixtures("client")
class TestGeedim:
    window: dict[str, Any] = {  # noqa: RUF012 (read only)
        "crs": "EPSG:32610",
        "crs_transform": list(TRANSFORM),
        "shape": (10, 16),
    }

    def test_it_reads_the_grid_of_an_image(self) -> None:
        image = ee.Image(SENTINEL2_ID).select("B3").gd
        assert image.crs == "EPSG:32610"
        assert image.transform == (10, 0, 499980, 0, -10, 4200000)
        assert image.shape == (10980, 10980)
        assert image.dtype == "uint16"

    def test_its_arrays_are_the_pixels(self) -> None:
        image = ee.Image(SENTINEL2_ID).select(["B3", "B4"]).gd.prepareForExport(**self.window)
        array = image.gd.toNumPy()
        for number, band in enumerate(("B3", "B4")):
            np.testing.assert_array_equal(
                array[..., number], sentinel2_values(band, 100, 200, 16, 10)
            )

    def test_its_tiles_make_one_file(self, tmp_path: Path) -> None:
        # It asks the internet for a description of the asset, unless it knows one.
        geedim.stac.STACClient()._cache[SENTINEL2_ID] = {"links": [], "summaries": {}}
        window = self.window | {"shape": (700, 600)}
        image = ee.Image(SENTINEL2_ID).select(["B3", "B4"]).gd.prepareForExport(**window)
        path = tmp_path / "tiles.tif"
        image.gd.toGeoTIFF(path, max_tile_dim=512)
        with rasterio.open(path) as dataset:
            assert tuple(dataset.transform)[:6] == TRANSFORM
            assert (dataset.nodata, dataset.dtypes) == (0, ("uint16", "uint16"))
            expected = sentinel2_values("B4", 100, 200, 600, 700)
            np.testing.assert_array_equal(dataset.read(2), expected)

    def test_its_default_grid_is_the_image_s_own(self) -> None:
        image = ee.Image(LANDSAT).select("B4").gd.prepareForExport()
        with rasterio.open(CATALOG / f"{LANDSAT}.tif") as stored:
            np.testing.assert_array_equal(image.gd.toNumPy()[..., 0], stored.read(4))

    def test_its_scale_and_region_are_served(self) -> None:
        box = [500980, 4197800, 501300, 4198000]
        region = ee.Geometry.Rectangle(box, "EPSG:32610", geodesic=False)
        image = ee.Image(SENTINEL2_ID).select("B3")
        prepared = image.gd.prepareForExport(crs="EPSG:32610", scale=20, region=region)
        fine = sentinel2_values("B3", 100, 200, 32, 20)
        np.testing.assert_array_equal(prepared.gd.toNumPy()[..., 0], mean_of_2x2(fine))

    def test_a_cast_float_has_a_nodata_value(self) -> None:
        image = ee.Image(SENTINEL2_ID).select("B3")
        prepared = image.gd.prepareForExport(**self.window, dtype="float32")
        array = prepared.gd.toNumPy(masked=True)
        np.testing.assert_array_equal(array[..., 0], sentinel2_values("B3", 100, 200, 16, 10))

    @pytest.mark.parametrize(
        ("method", "compute"),
        [("mosaic", lambda stack: stack[-1]), ("median", lambda stack: np.median(stack, axis=0))],
    )
    def test_its_composites_are_served(self, method: str, compute: Any) -> None:
        chosen = ee.ImageCollection(DAILY).filterDate("2021-01-01", "2021-01-21").select("B4")
        composite = chosen.gd.composite(method).select("B4")
        array = composite.gd.prepareForExport(**self.window, dtype="float64").gd.toNumPy()
        stack = np.stack([daily(number, 0) for number in range(4)])
        np.testing.assert_array_equal(array[..., 0], compute(stack))

    def test_it_lists_a_collection(self) -> None:
        chosen = ee.ImageCollection(DAILY).filterDate("2021-01-01", "2021-01-21")
        clouds = [p["CLOUDY_PIXEL_PERCENTAGE"] for p in chosen.gd.properties.values()]
        assert clouds == [3.5, 62, 17, 98]


@pytest.mark.usefixtures("client")
class TestXee:
    @pytest.fixture
    def dataset(self) -> Iterator[xarray.Dataset]:
        opened = xarray.open_dataset(
            ee.ImageCollection(DAILY).filterDate("2021-01-01", "2021-01-21").select(["B4", "B8"]),
            engine="ee",
            crs="EPSG:32610",
            crs_transform=TRANSFORM,
            shape_2d=(16, 10),
        )
        with opened:
            yield opened

    def test_a_collection_is_a_cube(self, dataset: xarray.Dataset) -> None:
        assert dataset.sizes == {"time": 4, "y": 10, "x": 16}
        assert str(dataset.time.values[1])[:19] == "2021-01-06T19:00:00"
        for name, band in (("B4", 0), ("B8", 1)):
            expected = np.stack([daily(number, band) for number in range(4)])
            np.testing.assert_array_equal(dataset[name].values, expected)

    def test_its_coordinates_are_pixel_centres(self, dataset: xarray.Dataset) -> None:
        np.testing.assert_array_equal(dataset.x.values, 500980 + 10 * np.arange(16) + 5)
        np.testing.assert_array_equal(dataset.y.values, 4198000 - 10 * np.arange(10) - 5)

    def test_masked_pixels_are_not_a_number(self) -> None:
        opened = xarray.open_dataset(
            ee.ImageCollection(DAILY).limit(1).select("B4"),
            engine="ee",
            crs="EPSG:32610",
            crs_transform=(10, 0, 499980 + 380, 0, -10, 4200000),
            shape_2d=(4, 3),
        )
        with opened:
            values = opened.B4.values[0]
        # The westernmost 40 pixels of every image are masked.
        assert np.isnan(values[:, :2]).all()
        expected = formula_values(0, "uint16", np.arange(3)[:, np.newaxis], np.arange(40, 42), 1)
        np.testing.assert_array_equal(values[:, 2:], expected)


class TestEdown:
    """It logs in with a key file that names no project, lists a series, and fetches chunks."""

    @pytest.fixture
    def emulator(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
        key, public = make_key("")
        del key["project_id"]
        with serve(CATALOG, require_auth=True, service_accounts={EMAIL: public}) as emulator:
            key["token_uri"] = f"{emulator.url}/token"
            (tmp_path / "key.json").write_text(json.dumps(key))
            monkeypatch.setenv("GEE_SERVICE_ACCOUNT", EMAIL)
            monkeypatch.setenv("GEE_SERVICE_ACCOUNT_KEY", str(tmp_path / "key.json"))
            # The client would ask the internet for a list of deprecated assets.
            monkeypatch.setattr(ee.deprecation, "deprecated_assets", {"none": None})
            reset()
            yield emulator
            reset()

    # It takes all integers for int16, as the description of a band says just "int".
    @pytest.mark.slow
    @pytest.mark.parametrize(("scale", "dtype"), [(None, "int16"), (0.5, "float32")])
    def test_its_files_hold_the_pixels_of_the_images(
        self, emulator: Emulator, tmp_path: Path, scale: float | None, dtype: str
    ) -> None:
        config = edown.DownloadConfig(
            DAILY,
            "2021-01-01",
            "2021-01-08",
            edown.AOI.from_bbox((-122.99, 37.90, -122.985, 37.905)),
            bands=("B4",),
            scale_map={} if scale is None else {"B4": scale},
            server_url=emulator.url,
            output_root=tmp_path,
            max_retries=1,
            chunk_size_mode="fixed",
            chunk_size=64,
        )
        results = edown.download_images(config).results
        assert [result.status for result in results] == ["downloaded"] * 2
        for number, result in enumerate(results):
            assert result.chunk_count > 1
            with rasterio.open(result.tiff_path) as dataset:
                assert dataset.dtypes == (dtype,)
                left = round((dataset.transform.c - 499980) / 10)
                top = round((4200000 - dataset.transform.f) / 10)
                rows = np.arange(top, top + dataset.height)[:, np.newaxis]
                columns = np.arange(left, left + dataset.width)[np.newaxis, :]
                values = formula_values(0, "uint16", rows, columns, number + 1)
                expected = values.astype(dtype) * (1 if scale is None else scale)
                found = dataset.read(1, masked=True)
            assert found.count() > 1000
            np.testing.assert_array_equal(found.compressed(), expected[~found.mask])


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    user = AuthorizedUser("user@demo", "client", "secret", "refresh")
    with serve(CATALOG, require_auth=True, identities=Identities(users=(user,))) as emulator:
        yield emulator


class TestGdal:
    """GDAL's driver EEDAI, as rasterio brings it; it cannot do without credentials."""

    @pytest.fixture
    def environment(self, service: Emulator) -> Iterator[None]:
        form = {"grant_type": "refresh_token", "client_id": "client", "client_secret": "secret",
                "refresh_token": "refresh"}  # fmt: skip
        token = requests.post(f"{service.url}/token", data=form, timeout=30).json()["access_token"]
        with rasterio.Env(EEDA_URL=f"{service.url}/v1alpha/", EEDA_BEARER=token):
            with rasterio.Env() as env:
                assert "EEDAI" in env.drivers()
            yield

    @pytest.mark.usefixtures("environment")
    def test_bytes_come_as_pictures(self) -> None:
        with (
            rasterio.open(f"EEDAI:{LANDSAT}") as served,
            rasterio.open(CATALOG / f"{LANDSAT}.tif") as stored,
        ):
            assert served.transform == stored.transform
            assert served.crs == stored.crs
            window = rasterio.windows.Window(200, 100, 140, 200)
            np.testing.assert_array_equal(served.read(window=window), stored.read(window=window))

    @pytest.mark.usefixtures("environment")
    @pytest.mark.parametrize(
        ("bands", "encoding"), [("B3,B4", "AUTO"), ("B3,B4", "NPY"), ("AOT,TCI_R", "AUTO")]
    )
    def test_other_types_come_as_files_and_arrays(self, bands: str, encoding: str) -> None:
        name = f"EEDAI:projects/earthengine-public/assets/{SENTINEL2_ID}:{bands}"
        with rasterio.open(name, PIXEL_ENCODING=encoding) as served:
            assert served.shape == (10980, 10980)
            assert served.tags()["MGRS_TILE"] == "10SEG"
            window = rasterio.windows.Window(300, 520, 50, 40)
            read = [served.read(number, window=window) for number in (1, 2)]
        for values, band in zip(read, bands.split(","), strict=True):
            np.testing.assert_array_equal(values, sentinel2_values(band, 300, 520, 50, 40))

    @pytest.mark.usefixtures("environment")
    def test_an_overview_is_the_mean(self) -> None:
        name = f"EEDAI:projects/earthengine-public/assets/{SENTINEL2_ID}:B3"
        with rasterio.open(name) as served:
            window = rasterio.windows.Window(0, 0, 512, 512)
            read = served.read(1, window=window, out_shape=(256, 256))
        np.testing.assert_array_equal(read, mean_of_2x2(sentinel2_values("B3", 0, 0, 512, 512)))

    @pytest.mark.usefixtures("environment")
    def test_an_absent_asset_is_absent(self) -> None:
        with pytest.raises(rasterio.errors.RasterioIOError, match="does not exist or"):
            rasterio.open("EEDAI:projects/demo/assets/none")
