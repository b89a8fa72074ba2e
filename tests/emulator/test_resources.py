"""The other resources: computePixels, assets, pictures, versions of the API."""

from __future__ import annotations

import io
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ee
import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import requests
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from airflow_provider.earthengine.emulator.server import serve
from airflow_provider.earthengine.emulator.strict_json import CatalogError
from tests.emulator.official_client import Tiff
from tests.support.expected import SENTINEL2_ID, formula_values, sentinel2_values, utm

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator

DAILY = "projects/demo/assets/s2_daily"
LANDSAT = "projects/demo/assets/landsat7_olinda"
REGIONS = "projects/demo/assets/regions"
CATALOG = Path(__file__).parents[1] / "data/catalog"
GRID = {
    "crsCode": "EPSG:32610",
    "affineTransform": {
        "scaleX": 10,
        "shearX": 0,
        "translateX": 500980,
        "shearY": 0,
        "scaleY": -10,
        "translateY": 4198000,
    },
    "dimensions": {"width": 16, "height": 10},
}

pytestmark = pytest.mark.usefixtures("client")


def picture(content: bytes) -> npt.NDArray[np.generic]:
    with warnings.catch_warnings(), MemoryFile(content) as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # of course not
        with memory.open() as dataset:
            pixels: npt.NDArray[np.generic] = dataset.read()
    return pixels


def test_pixels_are_computed_on_the_grid_that_is_asked_for(client: Emulator) -> None:
    image = ee.Image(SENTINEL2_ID).select(["B3", "B8"])
    params = {"expression": image, "fileFormat": "NUMPY_NDARRAY", "grid": GRID}
    array = ee.data.computePixels(params)
    assert array.dtype == [("B3", "<u2"), ("B8", "<u2")]
    for band in ("B3", "B8"):
        np.testing.assert_array_equal(array[band], sentinel2_values(band, 100, 200, 16, 10))
    assert client.counts()["image:computePixels"] == 1


def test_without_a_grid_the_image_has_its_own() -> None:
    image = ee.Image(LANDSAT).select("B4").clip(ee.Geometry.BBox(-34.9, -8, -34.89, -7.99))
    read = Tiff(ee.data.computePixels({"expression": image, "fileFormat": "GEO_TIFF"}))
    assert read.transform[0] == pytest.approx(28.5)
    assert 35 < read.bands.shape[1] < 45


def test_bands_are_chosen_and_ordered() -> None:
    params = {"expression": ee.Image(SENTINEL2_ID), "fileFormat": "GEO_TIFF", "grid": GRID}
    read = Tiff(ee.data.computePixels(params | {"bandIds": ["B8", "B3"]}))
    np.testing.assert_array_equal(read.bands[0], sentinel2_values("B8", 100, 200, 16, 10))
    np.testing.assert_array_equal(read.bands[1], sentinel2_values("B3", 100, 200, 16, 10))


def test_the_pixels_of_an_asset_come_without_an_expression(client: Emulator) -> None:
    grid = {name: value for name, value in GRID.items() if name != "crsCode"}
    params = {"fileFormat": "NPY", "grid": grid, "bandIds": ["B3"]}
    for asset_id in (SENTINEL2_ID, f"projects/earthengine-public/assets/{SENTINEL2_ID}"):
        content = ee.data.getPixels({"assetId": asset_id, **params})
        array = np.lib.format.read_array(io.BytesIO(content))
        np.testing.assert_array_equal(array["B3"], sentinel2_values("B3", 100, 200, 16, 10))
    assert client.counts()["assets.getPixels"] == 2


@pytest.mark.parametrize(
    ("bands", "file_format", "drivers"),
    [
        (["TCI_R"], "PNG", "\x89PNG"),
        (["TCI_R", "TCI_G", "TCI_B"], "PNG", "\x89PNG"),
        (["TCI_R", "TCI_G", "TCI_B"], "JPEG", "\xff\xd8"),
        (["TCI_R", "TCI_G", "TCI_B"], "AUTO_JPEG_PNG", "\xff\xd8"),
    ],
)
def test_bytes_make_a_picture(bands: list[str], file_format: str, drivers: str) -> None:
    params = {"expression": ee.Image(SENTINEL2_ID).select(bands), "fileFormat": file_format}
    content = ee.data.computePixels(params | {"grid": GRID})
    assert content.startswith(drivers.encode("latin-1"))
    read = picture(content)
    expected = np.stack([sentinel2_values(band, 100, 200, 16, 10) for band in bands])
    if file_format == "PNG":
        np.testing.assert_array_equal(read, expected)
    else:
        assert read.shape == expected.shape


def test_masked_pixels_of_a_picture_are_transparent() -> None:
    red = ee.Image(SENTINEL2_ID).select("TCI_R")
    masked = red.updateMask(red.gt(100))
    params = {"expression": masked, "fileFormat": "AUTO_JPEG_PNG", "grid": GRID}
    read = picture(ee.data.computePixels(params))
    values = sentinel2_values("TCI_R", 100, 200, 16, 10).astype(int)
    np.testing.assert_array_equal(read[1], np.where(values > 100, 255, 0))
    np.testing.assert_array_equal(read[0], np.where(values > 100, values, 0))


def test_a_picture_can_be_a_thumbnail() -> None:
    region = ee.Geometry.Rectangle([500980, 4197900, 501140, 4198000], "EPSG:32610", False)
    image = ee.Image(SENTINEL2_ID).select(["TCI_R", "TCI_G", "TCI_B"])
    url = ee.data.makeDownloadUrl(
        ee.data.getDownloadId({"image": image, "region": region, "scale": 10, "format": "PNG"})
    )
    response = requests.get(url, timeout=30)
    assert response.headers["Content-Type"] == "image/png"
    expected = sentinel2_values("TCI_G", 100, 200, 16, 10)
    np.testing.assert_array_equal(picture(response.content)[1], expected)


def test_an_image_describes_itself_as_an_asset() -> None:
    asset = ee.data.getAsset(SENTINEL2_ID)
    assert asset["type"] == "IMAGE"
    assert asset["name"] == f"projects/earthengine-public/assets/{SENTINEL2_ID}"
    assert asset["id"] == SENTINEL2_ID
    assert asset["startTime"] == "2021-01-09T18:57:51.000Z"
    assert asset["properties"] == {"MGRS_TILE": "10SEG"}
    band = asset["bands"][2]
    assert band["id"] == "B3"
    assert band["dataType"] == {"precision": "INT", "range": {"min": 0, "max": 65535}}
    assert band["grid"] == {
        "crsCode": "EPSG:32610",
        "affineTransform": {
            "scaleX": 10,
            "translateX": 499980,
            "scaleY": -10,
            "translateY": 4200000,
        },
        "dimensions": {"width": 10980, "height": 10980},
    }
    corner = asset["geometry"]["coordinates"][0][0]
    assert utm(*corner, 10) == pytest.approx((499980, 4200000), abs=0.01)


def test_an_asset_has_its_size_and_the_time_of_its_last_change(client: Emulator) -> None:
    client.put_asset(FORMULA | {"version": 1610218671000123})
    made = ee.data.getAsset(FORMULA["id"])
    # 2021-01-09T18:57:51Z, and 123 microseconds.
    assert made["updateTime"] == "2021-01-09T18:57:51.000123Z"
    assert made["sizeBytes"] == str(20 * 10 * 2)
    assert ee.Image(FORMULA["id"]).get("system:asset_size").getInfo() == 400
    client.remove_asset(FORMULA["id"])
    for name, file in ((LANDSAT, "landsat7_olinda.tif"), (REGIONS, "regions.geojson")):
        asset = ee.data.getAsset(name)
        size = (CATALOG / "projects/demo/assets" / file).stat().st_size
        assert asset["sizeBytes"] == str(size)
        assert asset["updateTime"] == "1970-01-01T00:00:00.000001Z"
    assert asset["featureCount"] == str(ee.FeatureCollection(REGIONS).size().getInfo())
    collection = ee.data.getAsset(DAILY)
    assert "updateTime" in collection
    assert "sizeBytes" not in collection


ABSENT = "COPERNICUS/S2_SR/none"


def test_an_absent_asset_is_absent_to_the_client() -> None:
    with pytest.warns(DeprecationWarning, match="Use getAsset"):
        assert ee.data.getInfo(ABSENT) is None
    with pytest.raises(ee.EEException) as caught:
        ee.data.getAsset(ABSENT)
    assert str(caught.value) == (
        f"Asset 'projects/earthengine-public/assets/{ABSENT}' does not exist or doesn't allow "
        "this operation."
    )


@pytest.mark.parametrize(
    ("asset", "code", "text"),
    [
        ("none", 404, "Asset 'projects/demo/assets/none' does not exist or doesn't allow"),
        ("s2_daily/19990101", 404, "s2_daily/19990101' does not exist or doesn't allow"),
        (
            "private",
            403,
            "Permission 'earthengine.assets.get' denied on resource 'projects/demo/assets/private'",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["", ":getPixels", ":listAssets"])
def test_an_absent_asset_is_404_and_a_forbidden_one_403(
    client: Emulator, asset: str, code: int, text: str, verb: str
) -> None:
    url = f"{client.url}/v1/projects/demo/assets/{asset}{verb}"
    method = "POST" if verb == ":getPixels" else "GET"
    response = requests.request(method, url, json={"fileFormat": "NPY"}, timeout=30)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (code, code)
    assert error["status"] == {404: "NOT_FOUND", 403: "PERMISSION_DENIED"}[code]
    assert text in error["message"].replace("assets.list'", "assets.get'")


def test_a_folder_is_an_asset_too() -> None:
    assert ee.data.getAsset("COPERNICUS") == {
        "type": "FOLDER",
        "name": "projects/earthengine-public/assets/COPERNICUS",
        "id": "COPERNICUS",
    }


def test_a_folder_lists_what_the_caller_may_see() -> None:
    listed = ee.data.listAssets("projects/demo/assets")["assets"]
    types = {asset["id"].rsplit("/", 1)[1]: asset["type"] for asset in listed}
    assert types == {
        "dem_olinda": "IMAGE",
        "landsat7_olinda": "IMAGE",
        "regions": "TABLE",
        "s2_daily": "IMAGE_COLLECTION",
    }


def test_a_collection_lists_its_images_in_pages() -> None:
    first = ee.data.listAssets({"parent": DAILY, "pageSize": 10})
    assert len(first["assets"]) == 10
    assert first["assets"][0]["startTime"] == "2021-01-01T19:00:00.000Z"
    rest = ee.data.listAssets({"parent": DAILY, "pageToken": first["nextPageToken"]})
    assert len(rest["assets"]) == 73 - 11 - 10
    assert "nextPageToken" not in rest
    basic = ee.data.listAssets({"parent": DAILY, "view": "BASIC"})["assets"]
    assert set(basic[0]) == {"type", "name", "id", "updateTime"}


def test_a_filter_of_a_list_is_refused() -> None:
    with pytest.raises(ee.EEException, match="the query parameter 'filter' of listAssets"):
        ee.data.listAssets({"parent": DAILY, "filter": "startTime > '2021-01-01'"})


def test_both_versions_of_the_api_are_served(client: Emulator) -> None:
    for version in ("v1", "v1alpha"):
        described = requests.get(
            f"{client.url}/$discovery/rest", params={"version": version}, timeout=30
        ).json()
        path = described["resources"]["projects"]["resources"]["image"]["methods"]["computePixels"]
        assert path["path"] == f"{version}/{{+project}}/image:computePixels"
        url = f"{client.url}/{version}/projects/demo/algorithms"
        assert requests.get(url, timeout=30).status_code == 200
    other = requests.get(f"{client.url}/$discovery/rest?version=v2", timeout=30)
    assert other.status_code == 404


FORMULA: dict[str, Any] = {
    "id": "projects/demo/assets/made",
    "kind": "formula",
    "bands": [
        {
            "id": "b",
            "dtype": "int16",
            "crs": "EPSG:32610",
            "crs_transform": [10, 0, 500000, 0, -10, 4200000],
            "dimensions": [20, 10],
        }
    ],
}


def made_pixels() -> npt.NDArray[np.generic]:
    image = ee.Image(FORMULA["id"])
    return Tiff(ee.data.computePixels({"expression": image, "fileFormat": "GEO_TIFF"})).bands[0]


def test_assets_come_and_go_while_it_runs(client: Emulator) -> None:
    admin = f"{client.url}/emulator/assets"
    assert FORMULA["id"] not in requests.get(admin, timeout=30).json()["assets"]
    client.put_asset(FORMULA)
    expected = formula_values(0, "int16", np.arange(10)[:, np.newaxis], np.arange(20))
    np.testing.assert_array_equal(made_pixels(), expected)
    changed = FORMULA | {"bands": [FORMULA["bands"][0] | {"dimensions": [5, 4]}]}
    assert requests.put(admin, json=changed, timeout=30).status_code == 204
    assert made_pixels().shape == (4, 5)
    assert requests.delete(f"{admin}/{FORMULA['id']}", timeout=30).status_code == 204
    with pytest.raises(ee.EEException, match="not found"):
        made_pixels()
    assert requests.delete(f"{admin}/{FORMULA['id']}", timeout=30).status_code == 404
    with pytest.raises(KeyError):
        client.remove_asset(FORMULA["id"])


def test_a_mistake_in_a_new_asset_is_named(client: Emulator) -> None:
    response = requests.put(
        f"{client.url}/emulator/assets", json=FORMULA | {"kind": "video"}, timeout=30
    )
    assert response.status_code == 400
    assert "kind: must be one of" in response.json()["error"]["message"]


def test_files_of_a_new_asset_lie_in_the_catalog(client: Emulator) -> None:
    file = "projects/demo/assets/landsat7_olinda.tif"
    client.put_asset({"id": "copy", "kind": "file", "bands": [{"id": "b", "file": file}]})
    try:
        assert ee.Image("copy").bandNames().getInfo() == ["b"]
    finally:
        client.remove_asset("copy")


@pytest.mark.parametrize("kind", ["file", "table"])
def test_no_file_outside_of_the_catalog_becomes_an_asset(tmp_path: Path, kind: str) -> None:
    inner = tmp_path / "catalog"
    inner.mkdir()
    secret = tmp_path / "secret.tif"
    secret.write_bytes((CATALOG / "projects/demo/assets/landsat7_olinda.tif").read_bytes())
    (inner / "link.tif").symlink_to(secret)
    with serve(inner) as emulator:
        url = f"{emulator.url}/emulator/assets"
        for name in ("../secret.tif", str(secret), "link.tif", "x/../../secret.tif"):
            band = {"id": "b", "file": name}
            inside = {"bands": [band]} if kind == "file" else {"file": name}
            response = requests.put(url, json={"id": "x", "kind": kind} | inside, timeout=30)
            assert response.status_code == 400
            message = response.json()["error"]["message"]
            assert f"file: {name!r} must lie in the catalog's folder" in message
        assert requests.get(url, timeout=30).json()["assets"] == []


def test_without_a_catalog_there_are_no_files() -> None:
    with serve(None) as emulator, pytest.raises(CatalogError, match="serves no folder with files"):
        emulator.put_asset({"id": "x", "kind": "table", "file": "x.geojson"})


def test_an_image_can_be_processed_again(client: Emulator) -> None:
    band = FORMULA["bands"][0]
    now = datetime.now(UTC)
    for number, hours in enumerate((-1, 1)):
        change = {"image": 1, "visible_from": (now + timedelta(hours=hours)).isoformat()}
        series = {"start": "2021-01-01", "step_days": 1, "count": 3, "reprocessed": [change]}
        asset_id = f"projects/demo/assets/again{number}"
        asset = {"id": asset_id, "kind": "collection", "bands": [band], "series": series}
        client.put_asset(asset)
        try:
            images = ee.ImageCollection(asset_id)
            assert images.size().getInfo() == 3
            second = ee.Image(f"{asset_id}/20210102")
            read = Tiff(ee.data.computePixels({"expression": second, "fileFormat": "GEO_TIFF"}))
            version = second.getInfo()["version"]
        finally:
            client.remove_asset(asset_id)
        seed = 10_002 if hours < 0 else 2
        moment = datetime.fromisoformat(change["visible_from"])
        assert version == (round(moment.timestamp() * 1_000_000) if hours < 0 else 1)
        rows, columns = np.arange(10)[:, np.newaxis], np.arange(20)
        np.testing.assert_array_equal(
            read.bands[0], formula_values(0, "int16", rows, columns, seed)
        )


def test_rasterio_opens_what_is_computed_by_hand(client: Emulator) -> None:
    url = f"{client.url}/v1/projects/demo/image:computePixels"
    node = {
        "functionInvocationValue": {
            "functionName": "Image.load",
            "arguments": {"id": {"constantValue": LANDSAT}},
        }
    }
    body = {
        "expression": {"result": "0", "values": {"0": node}},
        "fileFormat": "GEO_TIFF",
        "bandIds": ["B1"],
    }
    response = requests.post(url, json=body, params={"alt": "media"}, timeout=30)
    with rasterio.open(io.BytesIO(response.content)) as dataset:
        assert dataset.shape == (352, 349)
