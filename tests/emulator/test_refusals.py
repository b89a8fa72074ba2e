"""What the emulator refuses: by name, in Google's shape, with the real texts where known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ee
import pytest
import requests

from airflow_provider.earthengine.emulator.api.discovery import (
    algorithms_document,
    discovery_document,
)
from airflow_provider.earthengine.emulator.catalog.catalog import Catalog
from airflow_provider.earthengine.emulator.expressions.functions import FUNCTIONS, invoke
from airflow_provider.earthengine.emulator.expressions.functions.signatures import Session
from airflow_provider.earthengine.emulator.replies import ApiError
from tests.support.expected import SENTINEL2_ID

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator

LOAD = {
    "functionInvocationValue": {
        "functionName": "Image.load",
        "arguments": {"id": {"constantValue": SENTINEL2_ID}},
    }
}
MISSING = "Image.load: Image asset '{}' not found (does not exist or caller does not have access)."


def expression(node: object) -> dict[str, Any]:
    return {"result": "0", "values": {"0": node}}


def call(name: str, **arguments: object) -> dict[str, Any]:
    return {"functionInvocationValue": {"functionName": name, "arguments": arguments}}


def constant(value: object) -> dict[str, Any]:
    return {"constantValue": value}


def create(emulator: Emulator, body: object, **query: str) -> requests.Response:
    url = f"{emulator.url}/v1/projects/demo/thumbnails"
    return requests.post(url, json=body, params=query, timeout=30)


def compute(emulator: Emulator, node: object) -> requests.Response:
    url = f"{emulator.url}/v1/projects/demo/value:compute"
    return requests.post(url, json={"expression": expression(node)}, timeout=30)


def message_of(response: requests.Response, code: int = 400) -> str:
    """Return the message of a refusal, having checked its shape."""
    assert response.status_code == code, response.text
    assert response.headers["Content-Type"] == "application/json"
    error = response.json()["error"]
    assert set(error) <= {"code", "message", "status", "details"}
    assert error["code"] == code
    expected = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
    assert error["status"] == expected[code]
    return str(error["message"])


@pytest.mark.parametrize(
    "image",
    [
        lambda: ee.Image(1).sinh(),
        lambda: ee.Image(SENTINEL2_ID).focal_max(2),
        lambda: ee.ImageCollection("projects/demo/assets/s2_daily").product(),
    ],
    ids=["Image.sinh", "Image.focal_max", "reduce.product"],
)
def test_a_function_without_a_known_sender_is_refused_by_name(
    client: Emulator, image: Any, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ee.EEException, match="emulator does not support the function '") as caught:
        image().getInfo()
    assert f"'{request.node.callspec.id}'" in str(caught.value)


@pytest.mark.parametrize("asset_id", ["COPERNICUS/S2_SR/none", "projects/demo/assets/private"])
def test_an_absent_and_a_forbidden_asset_get_the_same_answer(
    client: Emulator, asset_id: str
) -> None:
    with pytest.raises(ee.EEException) as caught:
        ee.data.getDownloadId({"image": ee.Image(asset_id)})
    assert str(caught.value) == MISSING.format(asset_id)


def test_an_unknown_band_is_answered_with_those_there_are(client: Emulator) -> None:
    with pytest.raises(ee.EEException) as caught:
        ee.Image("projects/demo/assets/dem_olinda").select("VV").getInfo()
    assert str(caught.value) == (
        "Image.select: Band pattern 'VV' did not match any bands. Available bands: [elevation]"
    )


@pytest.mark.parametrize(
    ("file_format", "text"),
    [
        ("GEO_JSON", 'ImageFileFormat), "GEO_JSON"'),
        ("PNG", "PNG images must have 1 or 3 bands, not 23."),
        ("MULTI_BAND_IMAGE_TILE", "does not support the file format MULTI_BAND_IMAGE_TILE"),
        ("TF_RECORD_IMAGE", "does not support the file format TF_RECORD_IMAGE"),
        (None, "does not support the file format IMAGE_FILE_FORMAT_UNSPECIFIED"),
    ],
)
def test_other_formats_are_refused(emulator: Emulator, file_format: str | None, text: str) -> None:
    body = {"expression": expression(LOAD), "fileFormat": file_format}
    assert text in message_of(create(emulator, body))


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("visualizationOptions", "does not support the field 'visualizationOptions'"),
        ("gird", 'Unknown name "gird": Cannot find field.'),
    ],
)
def test_other_fields_are_refused(emulator: Emulator, field: str, text: str) -> None:
    body = {"expression": expression(LOAD), "fileFormat": "NPY", field: {}}
    assert text in message_of(create(emulator, body))


GRID = {
    "crsCode": "EPSG:32610",
    "affineTransform": {"scaleX": 10, "translateX": 5, "scaleY": -10, "translateY": 5},
    "dimensions": {"width": 2, "height": 3},
}


@pytest.mark.parametrize(
    ("grid", "text"),
    [
        (GRID | {"crsWkt": "x"}, "oneof field 'crs' is already set. Cannot set 'crsWkt'"),
        (GRID | {"scale": 1}, "Unknown name \"scale\" at 'grid': Cannot find field."),
        ({"crsCode": "EPSG:32610"}, "a grid without affineTransform or dimensions"),
        (GRID | {"crsCode": None}, "a grid without crsCode for bands of different"),
        (GRID | {"crsCode": "EPSG:0"}, "could not be parsed"),
        (GRID | {"crsCode": 4326}, "Invalid value at 'grid.crs_code'"),
        (GRID | {"affineTransform": {}}, "must be invertible"),
        (GRID | {"affineTransform": {"scaleX": "10"}}, "Invalid value at 'grid.affine_transform"),
        (GRID | {"dimensions": {"width": 1.5}}, "Invalid value at 'grid.dimensions.width'"),
        (GRID | {"dimensions": {"width": 0, "height": 1}}, "(0x1) must be positive"),
        (GRID | {"dimensions": {"width": 40000, "height": 1}}, "less than or equal to 32768"),
        ([], "Invalid value at 'grid'"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(emulator: Emulator, grid: object, text: str) -> None:
    body = {"expression": expression(LOAD), "fileFormat": "NPY", "grid": grid}
    assert text in message_of(create(emulator, body))


@pytest.mark.parametrize("file_format", ["ZIPPED_GEO_TIFF", "ZIPPED_GEO_TIFF_PER_BAND"])
def test_zips_are_for_thumbnails_only(emulator: Emulator, file_format: str) -> None:
    url = f"{emulator.url}/v1/projects/demo/image:computePixels"
    body = {"expression": expression(LOAD), "fileFormat": file_format}
    response = requests.post(url, json=body, timeout=30)
    assert f"{file_format} but for thumbnails" in message_of(response)


def test_a_bad_field_is_named_in_the_details(emulator: Emulator) -> None:
    response = create(emulator, {"expression": expression(LOAD), "fileFormat": "GEO_JSON"})
    details = response.json()["error"]["details"]
    assert details[0]["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert details[0]["fieldViolations"][0]["field"] == "file_format"


def test_an_unknown_query_parameter_is_refused(emulator: Emulator) -> None:
    body = {"expression": expression(LOAD), "fileFormat": "NPY"}
    assert 'Unknown name "filter"' in message_of(create(emulator, body, filter="x"))
    assert "alt=proto" in message_of(create(emulator, body, alt="proto"))
    assert "field mask 'a(b)'" in message_of(create(emulator, body, fields="a(b)"))


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (call("Image.clip", input=LOAD), "Image.clip: Parameter 'geometry' is required."),
        (
            call("Image.clipToBoundsAndScale", input=constant(None)),
            "Image.clipToBoundsAndScale: Parameter 'input' is required.",
        ),
        (
            call("Image.load", id=constant("x"), colour=constant(1)),
            "Image.load: Unrecognized argument 'colour'.",
        ),
        (
            call("Image.select", input=constant("B3"), bandSelectors=constant(["B3"])),
            "Image.select, argument 'input': Invalid type.\nExpected type: Image<unknown bands>.",
        ),
        (
            call("Projection", crs=constant("EPSG:102009")),
            "Projection: The CRS of a map projection could not be parsed.",
        ),
        (
            call("Projection", crs=constant("+proj=utm +zone=10")),
            "Projection: The CRS of a map projection could not be parsed.",
        ),
        (call("Projection", crs=constant("SR-ORG:7619")), "does not support the CRS"),
        (call("Projection", crs=constant('PROJCRS["x"]')), "does not support the CRS"),
        (
            call("Projection", crs=constant('PROJCS["cut"')),
            "Projection: The CRS of a map projection could not be parsed.",
        ),
        (
            call("Projection", crs=constant("EPSG:4326"), transform=constant([1, 0, 0, 0, 0, 0])),
            "Projection: A CRS transform must be invertible.",
        ),
        (
            call("Projection", crs=constant("EPSG:4326"), transform=constant([1, 0, 0])),
            "Projection: A CRS transform must be a list of 6 numbers.",
        ),
        (
            call("Image.projection", image=LOAD),
            "The bands of the specified image contain different projections. Use Image.select to",
        ),
        (
            call("Image.clipToBoundsAndScale", input=call("Image.constant", value=constant(1))),
            "Image.clipToBoundsAndScale: The geometry for image clipping must be bounded.",
        ),
        (
            call("Image.clipToBoundsAndScale", input=LOAD, scale=constant(0)),
            "Scale must be a positive number",
        ),
        (
            call("Image.clipToBoundsAndScale", input=LOAD, scale=constant(9), width=constant(1)),
            "'width' and 'height' must be specified together.",
        ),
        (
            call("GeometryConstructors.Polygon", coordinates=constant([[[0, 0], [1, "x"]]])),
            "GeometryConstructors.Polygon: Invalid coordinates.",
        ),
        (
            call("GeometryConstructors.Point", coordinates=constant([0, 91])),
            "Latitudes must lie between -90 and 90.",
        ),
        ({"bytesValue": "AA=="}, "(bytesValue)"),
        ({"argumentReference": "x"}, "no argument 'x'"),
        ({"functionDefinitionValue": {"argumentNames": [], "body": "0"}}, "Algorithm as the"),
        ({"functionDefinitionValue": {"argumentNames": []}}, "Invalid value at 'expression'"),
        (
            {"functionInvocationValue": {"functionReference": "9", "arguments": {}}},
            "no value '9'",
        ),
        (
            call(
                "Collection.map",
                collection=call(
                    "ImageCollection.fromImages",
                    images={"arrayValue": {"values": [call("Image.constant", value=constant(1))]}},
                ),
                baseAlgorithm={"functionDefinitionValue": {"argumentNames": ["a"], "body": "0"}},
            ),
            "functions call functions more than",
        ),
        ({"valueReference": "9"}, "no value '9'"),
        ({"valueReference": "0"}, "refers to itself"),
        ({"arrayValue": {"values": [{"valueReference": "0"}]}}, "refers to itself"),
        ({"constantValue": 1, "integerValue": "1"}, "exactly one kind"),
        ({"constant": 1}, 'Unknown name "constant"'),
        ({"integerValue": "1.5"}, "Invalid value at 'expression'"),
        (call("Image.teleport"), "does not support the function 'Image.teleport'"),
    ],
)
def test_what_makes_no_sense_is_refused(emulator: Emulator, node: object, text: str) -> None:
    assert text in message_of(compute(emulator, node))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"expression": NaN}', b"[" * 1_000_000, b"\xff\xfe"],
    ids=["empty", "cut", "list", "NaN", "a million nestings", "no text"],
)
def test_a_body_that_is_no_json_object_is_refused(emulator: Emulator, content: bytes) -> None:
    url = f"{emulator.url}/v1/projects/demo/value:compute"
    message = message_of(requests.post(url, data=content, timeout=30))
    assert message.startswith("Invalid JSON payload received.")


def test_an_expression_may_nest_deeply_but_not_endlessly(emulator: Emulator) -> None:
    def nested(depth: int) -> requests.Response:
        values: dict[str, Any] = {"0": constant(5)}
        for number in range(1, depth):
            values[str(number)] = {"arrayValue": {"values": [{"valueReference": str(number - 1)}]}}
        body = {"expression": {"result": str(depth - 1), "values": values}}
        url = f"{emulator.url}/v1/projects/demo/value:compute"
        return requests.post(url, json=body, timeout=30)

    assert nested(400).status_code == 200
    assert "nested more than" in message_of(nested(5000))


def test_unlike_projections_in_one_file_are_refused(client: Emulator) -> None:
    with pytest.raises(ee.EEException, match="bands of different projections in one file"):
        ee.data.getDownloadId(
            {"image": ee.Image(SENTINEL2_ID), "bands": ["B3", "B11"], "format": "GEO_TIFF"}
        )


def test_a_number_is_no_image(emulator: Emulator) -> None:
    body = {"expression": expression(constant(5)), "fileFormat": "NPY"}
    assert message_of(create(emulator, body)) == "Expression does not evaluate to an Image."


@pytest.mark.parametrize("prefix", ["../x", "a/b", "a\\b"])
def test_a_prefix_with_a_separator_is_refused(emulator: Emulator, prefix: str) -> None:
    body = {
        "expression": expression(LOAD),
        "fileFormat": "ZIPPED_GEO_TIFF_PER_BAND",
        "filenamePrefix": prefix,
        "bandIds": ["QA60"],
    }
    assert "separator in filenamePrefix" in message_of(create(emulator, body))


def test_another_path_is_refused_by_name(emulator: Emulator) -> None:
    response = requests.get(f"{emulator.url}/v1/projects/demo/maps/x", timeout=30)
    assert message_of(response, 404) == (
        "The Earth Engine emulator does not serve GET /v1/projects/demo/maps/x."
    )
    assert emulator.counts() == {"unserved": 1}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "assets/regions:fooBar"),
        ("POST", "assets/regions:fooBar"),
        ("GET", "assets/regions:listFeatures"),
        ("GET", "assets/regions:getPixels"),
        ("GET", "assets/regions:fooBar:listAssets"),
        ("GET", "assets/regions/"),
        ("GET", "assets//regions"),
        ("GET", "assets/"),
        ("GET", "algorithms/"),
        ("POST", "algorithms"),
        ("POST", "thumbnails/"),
        ("POST", "value:compute/"),
        ("POST", "value:guess"),
        ("DELETE", "assets/regions"),
        ("PATCH", "assets/regions"),
        ("OPTIONS", "value:compute"),
        ("TRACE", "algorithms"),
        ("PROPFIND", "assets/regions"),
    ],
)
def test_an_unknown_verb_is_404_and_names_the_route(
    emulator: Emulator, method: str, path: str
) -> None:
    route = f"/v1/projects/demo/{path}"
    response = requests.request(method, emulator.url + route, timeout=30)
    assert message_of(response, 404) == (
        f"The Earth Engine emulator does not serve {method} {route}."
    )
    assert emulator.counts() == {"unserved": 1}


REGIONS = "projects/demo/assets/regions"


@pytest.mark.parametrize(
    ("call", "route"),
    [
        (lambda: ee.Image(1).getMapId(), "POST /v1/projects/demo/maps"),
        (ee.data.listOperations, "GET /v1/projects/demo/operations"),
        (
            lambda: ee.data.getOperation("projects/demo/operations/X"),
            "GET /v1/projects/demo/operations/X",
        ),
        (
            lambda: ee.data.cancelOperation("projects/demo/operations/X"),
            "POST /v1/projects/demo/operations/X:cancel",
        ),
        (
            lambda: ee.batch.Export.image.toDrive(ee.Image(1), region=ee.Geometry.BBox(0, 0, 1, 1)),
            "POST /v1/projects/demo/image:export",
        ),
        (
            lambda: ee.batch.Export.table.toDrive(ee.FeatureCollection(REGIONS)),
            "POST /v1/projects/demo/table:export",
        ),
        (
            lambda: ee.batch.Export.video.toDrive(
                ee.ImageCollection("projects/demo/assets/s2_daily"),
                region=ee.Geometry.BBox(0, 0, 1, 1),
            ),
            "POST /v1/projects/demo/video:export",
        ),
        (
            lambda: ee.data.computeImages({"expression": ee.ImageCollection([ee.Image(1)])}),
            "POST /v1/projects/demo/imageCollection:computeImages",
        ),
        (
            lambda: ee.data.computeFeatures({"expression": ee.FeatureCollection(REGIONS)}),
            "POST /v1/projects/demo/table:computeFeatures",
        ),
        (
            lambda: ee.data.listFeatures({"assetId": "COPERNICUS/x"}),
            "GET /v1/projects/earthengine-public/assets/COPERNICUS/x:listFeatures",
        ),
        (
            lambda: ee.FeatureCollection(REGIONS).getDownloadURL("CSV"),
            "POST /v1/projects/demo/tables",
        ),
        (
            lambda: ee.data.getFeatureViewTilesKey({"assetId": "COPERNICUS/x"}),
            "POST /v1/projects/demo/featureView",
        ),
        (
            lambda: ee.ImageCollection("projects/demo/assets/s2_daily").getVideoThumbURL({}),
            "POST /v1/projects/demo/videoThumbnails",
        ),
        (
            lambda: ee.ImageCollection("projects/demo/assets/s2_daily").getFilmstripThumbURL({}),
            "POST /v1/projects/demo/filmstripThumbnails",
        ),
        (
            lambda: ee.data.createAsset({"type": "FOLDER"}, "projects/my-project/assets/x"),
            "POST /v1/projects/my-project/assets",
        ),
        (
            lambda: ee.data.deleteAsset("COPERNICUS/x"),
            "DELETE /v1/projects/earthengine-public/assets/COPERNICUS/x",
        ),
        (
            lambda: ee.data.copyAsset("COPERNICUS/x", "users/me/y"),
            "POST /v1/projects/earthengine-public/assets/COPERNICUS/x:copy",
        ),
        (
            lambda: ee.data.renameAsset("COPERNICUS/x", "users/me/y"),
            "POST /v1/projects/earthengine-public/assets/COPERNICUS/x:move",
        ),
        (
            lambda: ee.data.updateAsset("COPERNICUS/x", {}, []),
            "PATCH /v1/projects/earthengine-public/assets/COPERNICUS/x",
        ),
        (
            lambda: ee.data.getIamPolicy("COPERNICUS/x"),
            "POST /v1/projects/earthengine-public/assets/COPERNICUS/x:getIamPolicy",
        ),
        (
            lambda: ee.data.setIamPolicy("COPERNICUS/x", {}),
            "POST /v1/projects/earthengine-public/assets/COPERNICUS/x:setIamPolicy",
        ),
        (ee.data.getProjectConfig, "GET /v1/projects/demo/config"),
        (
            lambda: ee.data.updateProjectConfig({"maxConcurrentExports": 1}),
            "PATCH /v1/projects/demo/config",
        ),
        (
            lambda: ee.data.startIngestion("r", {"name": "users/me/x"}),
            "POST /v1/projects/demo/image:import",
        ),
        (
            lambda: ee.data.startTableIngestion("r", {"name": "users/me/x"}),
            "POST /v1/projects/demo/table:import",
        ),
    ],
)
def test_a_method_that_is_not_served_reaches_the_client_as_a_refusal(
    client: Emulator, call: Any, route: str
) -> None:
    def send() -> None:
        # An export is only sent when it is started.
        call().start()

    with pytest.raises(ee.EEException) as caught:
        send()
    assert str(caught.value) == f"The Earth Engine emulator does not serve {route}."


def test_every_method_that_the_client_knows_is_listed() -> None:
    place = Path(ee.__file__).parent / "tests/cloud_api_discovery_document.json"
    known = methods_in(json.loads(place.read_text().replace("v1alpha", "v1")))
    listed = methods_in(discovery_document("http://emulator", "v1"))
    # These names have changed since; the client sends the new ones.
    renamed = {"projects.algorithms.list": "parent", "projects.assets.listFeatures": "asset"}
    for name, (verb, path, queries) in known.items():
        our_verb, our_path, our_queries = listed[name]
        parameter = renamed.get(name, path.partition("{+")[2].partition("}")[0])
        assert our_verb == verb
        assert our_path == f"v1/{{+{parameter}}}{path.partition('}')[2]}"
        assert queries <= our_queries | {"nextPageToken"}
    assert {"projects.getConfig", "projects.tables.getFeatures"} <= set(listed)


def methods_in(resource: dict[str, Any], place: str = "") -> dict[str, tuple[str, str, set[str]]]:
    """Return verb, path and query parameters of a discovery document's methods, by name."""
    found = {
        place + name: (
            method["httpMethod"],
            method["path"],
            {key for key, each in method["parameters"].items() if each["location"] == "query"},
        )
        for name, method in resource.get("methods", {}).items()
    }
    for name, inner in resource.get("resources", {}).items():
        found |= methods_in(inner, f"{place}{name}.")
    return found


def test_every_function_outside_the_table_is_refused_by_name() -> None:
    session = Session(Catalog(), None, 0)
    listed = json.loads(algorithms_document())["algorithms"]
    names = {entry["name"].removeprefix("algorithms/") for entry in listed} - set(FUNCTIONS)
    assert len(names) > 500
    for name in names:
        with pytest.raises(ApiError) as caught:
            invoke(session, name, {})
        assert caught.value.message == (
            f"The Earth Engine emulator does not support the function '{name}'."
        )
