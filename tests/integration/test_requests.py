"""The very requests that the official client sends are sent for the same parameters.

The unmodified client and the project each talk to a relay before the emulator; the JSON bodies that
arrive there are compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import ee
import pytest

from airflow_provider.earthengine.download.fields.image import prepare_request
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.emulator import earthengine_connection
from tests.emulator.official_client import initialised
from tests.integration.relay import Relay, relay_to
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID

pytestmark = pytest.mark.slow

CREATE, COMPUTE = "/projects/demo/thumbnails", "/value:compute"
BANDS = ["B3", "B8", "B11"]
BOX = [-122.0800, 37.0500, -122.0770, 37.0520]
RING = [
    [-122.08, 37.05],
    [-122.077, 37.05],
    [-122.077, 37.052],
    [-122.08, 37.052],
    [-122.08, 37.05],
]
POLYGON = {"type": "Polygon", "coordinates": [RING]}
PARTS = {"type": "MultiPolygon", "coordinates": [[RING]]}
GRID = {"crs": "EPSG:32610", "crs_transform": [10, 0, 581500, 0, -10, 4100500]}
CUSTOM = [{"id": "B3", "scale": 10}, {"id": "B8", "scale": 10}, {"id": "B11", "scale": 20}]

PARAMS: dict[str, dict[str, Any]] = {
    # the examples of the reference page
    "single-band": {"name": "single_band", "bands": BANDS, "region": BOX},
    "multi-band": {
        "name": "multi_band", "bands": BANDS, "region": BOX, "scale": 20, "filePerBand": False,
    },
    "custom-single-band": {"name": "custom_single_band", "bands": CUSTOM, "region": BOX},
    "geo-tiff": {"bands": BANDS, "region": BOX, "scale": 20, "format": "GEO_TIFF"},
    "npy": {"bands": BANDS, "region": BOX, "scale": 20, "format": "NPY"},
    # what else getDownloadId makes different programs of
    "region-as-a-ring": {"bands": ["B3"], "region": RING},
    "region-as-a-geometry": {"bands": ["B3"], "region": POLYGON, "scale": 10},
    "region-of-parts": {"bands": ["B3"], "region": PARTS, "scale": 10},
    "all-bands": {"region": BOX, "scale": 60, "format": "NPY"},
    "crs": {"bands": ["B3"], "crs": "EPSG:4326", "scale": 10, "region": BOX},
    "crs-without-scale": {
        "bands": ["B3"], "crs": "EPSG:32610", "region": BOX, "format": "GEO_TIFF",
    },
    "crs_transform": {"bands": ["B3"], "region": BOX, "format": "GEO_TIFF", **GRID},
    "a-tile": {"bands": ["B3"], "dimensions": [30, 20], "format": "GEO_TIFF", **GRID},
    "a-tile-of-bands": {"bands": BANDS, "dimensions": [30, 20], **GRID},
    "dimensions": {"bands": ["B3"], "region": BOX, "dimensions": [20, 15], "format": "GEO_TIFF"},
    "longest-side": {"bands": ["B3"], "region": BOX, "dimensions": 20, "format": "GEO_TIFF"},
    "a-bands-own-grid": {"bands": [{"id": "B3", **GRID, "dimensions": [30, 20]}]},
    "a-bands-own-crs": {"bands": [{"id": "B3", "crs": "EPSG:4326", "scale": 10}], "region": BOX},
    "defaults-of-bands": {
        "bands": [{"id": "B3"}, {"id": "B11", "scale": 40}], "region": BOX, "scale": 20,
        "crs": "EPSG:32610",
    },
    "scale-with-dicts-of-ids": {
        "bands": [{"id": "B3"}, {"id": "B11"}], "region": BOX, "scale": 20, "filePerBand": False,
    },
}  # fmt: skip


@pytest.fixture
def relay(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """Stand before the emulator, as the default connection."""
    with relay_to(emulator.url) as relay:
        monkeypatch.setenv(
            "AIRFLOW_CONN_EARTHENGINE_DEFAULT", earthengine_connection(relay.url, "demo")
        )
        yield relay


def sent_by_the_official_client(relay: Relay, all_params: list[dict[str, Any]]) -> list[Any]:
    with initialised(relay.url):
        for params in all_params:
            ee.data.getDownloadId({"image": ee.Image(SENTINEL2_ID), **params})
    return relay.take(CREATE)


def test_the_hook_sends_what_the_official_client_sends(relay: Relay) -> None:
    wanted = sent_by_the_official_client(relay, list(PARAMS.values()))
    with EarthEngineHook() as hook:
        image = hook.get_conn().Image(SENTINEL2_ID)
        for params in PARAMS.values():
            hook.get_download_id({**prepare_request(read_params(params)), "image": image})
    got = relay.take(CREATE)
    assert dict(zip(PARAMS, got, strict=True)) == dict(zip(PARAMS, wanted, strict=True))


def run_operator(params: dict[str, Any] | str, bucket: str) -> None:
    operator = EarthEngineToS3Operator(
        task_id="download", image=SENTINEL2_ID, download_params=params, s3_bucket=bucket
    )
    operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in


EXAMPLES = ("single-band", "multi-band", "custom-single-band", "geo-tiff", "npy", "a-tile")


def test_the_operator_sends_what_the_official_client_sends(
    relay: Relay, aws_default: str, bucket: str
) -> None:
    examples = [PARAMS[name] for name in EXAMPLES]
    wanted = sent_by_the_official_client(relay, examples)
    for params in examples:
        run_operator(params, bucket)
    assert relay.take(CREATE) == wanted


def test_parameters_as_json_text_are_sent_no_differently(
    relay: Relay, aws_default: str, bucket: str
) -> None:
    wanted = sent_by_the_official_client(relay, [PARAMS["custom-single-band"]])
    run_operator(json.dumps(PARAMS["custom-single-band"]), bucket)
    assert relay.take(CREATE) == wanted


@pytest.mark.parametrize("name", ["defaults-of-bands", "single-band", "geo-tiff"])
def test_the_grid_is_asked_of_the_very_program_that_is_downloaded(
    relay: Relay, aws_default: str, bucket: str, name: str
) -> None:
    run_operator(PARAMS[name], bucket)
    _, described = decoded(relay, COMPUTE)
    assert described.serialize() == decoded(relay, CREATE).serialize()


def decoded(relay: Relay, ending: str) -> Any:
    (body,) = [body for path, body in relay.bodies if path.endswith(ending)]
    return ee.deserializer.decode(body["expression"])


def test_the_documented_wire_form_of_an_example_is_what_arrives(relay: Relay) -> None:
    """Written out once, so that client and project cannot be wrong together."""
    hook = EarthEngineHook()
    image = hook.get_conn().Image(SENTINEL2_ID)
    params = prepare_request(read_params(PARAMS["multi-band"]))
    hook.get_download_id({**params, "image": image})
    (body,) = relay.take(CREATE)
    program = body.pop("expression")
    assert body == {
        "fileFormat": "ZIPPED_GEO_TIFF", "filenamePrefix": "multi_band", "bandIds": BANDS,
    }  # fmt: skip
    clip = program["values"][program["result"]]["functionInvocationValue"]
    assert clip["functionName"] == "Image.clipToBoundsAndScale"
    assert set(clip["arguments"]) == {"input", "geometry", "scale"}
    assert clip["arguments"]["scale"] == {"constantValue": 20}
    assert clip["arguments"]["input"]["functionInvocationValue"] == {
        "functionName": "Image.load", "arguments": {"id": {"constantValue": SENTINEL2_ID}},
    }  # fmt: skip
