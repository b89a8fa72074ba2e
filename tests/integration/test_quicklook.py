"""The picture of a download: beside the item, in XCom, of what was published, never in the way.

Expected pixels are numpy's, of the values that the formula gives.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pystac
import pytest
from pystac.validation import JsonSchemaSTACValidator
from rasterio.io import MemoryFile

from airflow_provider.earthengine.download.publish import thumbnails
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.bucket import list_keys, list_pictures, read_item
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID, formula_values, sentinel2_values
from tests.support.group_tasks import Group
from tests.support.s3_relay import S3Relay, S3Request, s3_relay_to

pytestmark = [
    pytest.mark.usefixtures("connections"),
    # A picture has no place on Earth.
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]

Array = npt.NDArray[Any]
Run = Callable[..., dict[str, Any]]

TRUE_COLOR = ["B4", "B3", "B2"]
GRID = {"crs": "EPSG:32610", "crs_transform": [10, 0, 499980, 0, -10, 4200000]}
SMALL = {
    **GRID, "bands": TRUE_COLOR, "dimensions": [60, 40], "name": "x", "format": "GEO_TIFF"
}  # fmt: skip
WIDTH, HEIGHT = 600, 1300
LARGE = {**SMALL, "dimensions": [WIDTH, HEIGHT]}
ROW = {"tile_byte_count": WIDTH * 512 * 9}
ODD = "projects/demo/assets/odd"
WHOLE = {"name": "x", "format": "GEO_TIFF"}
MOST_PICTURE, MOST_XCOM = 48 << 10, 64 << 10


@pytest.fixture
def run(bucket: str) -> Run:
    """Return the task's XCom, as it comes out of the database."""

    def execute(params: dict[str, Any], **fields: Any) -> dict[str, Any]:
        context = task_context()
        operator = EarthEngineToS3Operator(
            task_id="download", s3_bucket=bucket,
            **{"image": SENTINEL2_ID, "download_params": params, **fields},
        )  # fmt: skip
        uris = operator.execute(context)  # type: ignore[arg-type]  # a stand-in
        text = json.dumps({**context["ti"].xcom, "uris": uris})
        assert len(json.dumps(context["ti"].xcom["summary"])) <= MOST_XCOM
        return dict(json.loads(text))

    return execute


@pytest.fixture
def put_odd(emulator: Emulator) -> Iterator[Callable[..., None]]:
    """Return a function that makes an asset of some bands."""
    with emulator.restored_assets():

        def put(*ids: str, width: int = 30, height: int = 20, **band: Any) -> None:
            bands = [
                {"id": each, "dtype": "uint16", **GRID, "dimensions": [width, height], **band}
                for each in ids
            ]
            emulator.put_asset({"id": ODD, "kind": "formula", "bands": bands})

        yield put


def picture_of(xcom: dict[str, Any]) -> Array:
    """Return red, green, blue and opacity of the picture in XCom."""
    head, content = xcom["summary"]["picture"].split(",")
    assert head in {"data:image/png;base64", "data:image/webp;base64"}
    decoded = base64.b64decode(content, validate=True)
    assert len(decoded) <= MOST_PICTURE
    return read_picture(decoded)


def read_picture(content: bytes) -> Array:
    with MemoryFile(content) as file, file.open() as picture:
        pixels: Array = picture.read()
    opaque = np.full((1, *pixels.shape[1:]), 255, np.uint8)
    return np.concatenate([pixels, opaque])[:4]


def stretched(band: Array) -> Array:
    low, high = np.percentile(band.astype(float), (2, 98))
    return np.interp(band.astype(float), (low, high), (0, 255))


def true_color(width: int, height: int, step: int = 1) -> list[Array]:
    return [
        stretched(sentinel2_values(band, 0, 0, width, height)[::step, ::step])
        for band in TRUE_COLOR
    ]


def test_the_item_names_a_picture_beside_it_which_is_that_of_xcom(
    run: Run, bucket: str, s3: SeaweedFS
) -> None:
    xcom = run(SMALL, s3_prefix="a")
    item = read_item(s3.client(), bucket, "a/x.tif.json")
    JsonSchemaSTACValidator().validate_core(item, pystac.STACObjectType.ITEM, "1.1.0")
    named = item["assets"]["thumbnail"]
    assert named["roles"] == ["thumbnail"]
    (key,) = list_pictures(s3.client(), bucket)
    assert named["href"] == f"s3://{bucket}/{key}"
    assert key.startswith("a/x.tif.thumbnail.")
    found = s3.client().get_object(Bucket=bucket, Key=key)
    assert (found["ContentType"], found["ContentLength"]) == (named["type"], named["file:size"])
    content = found["Body"].read()
    assert xcom["summary"]["picture"] == (
        f"data:{named['type']};base64,{base64.b64encode(content).decode()}"
    )
    assert xcom["uris"] == [f"s3://{bucket}/a/x.tif"]


def test_three_bands_are_shown_in_true_color_as_numpy_stretches_them(run: Run) -> None:
    picture = picture_of(run(SMALL))
    assert picture.shape == (4, 40, 60)
    assert (picture[3] == 255).all()
    for got, wanted in zip(picture, true_color(60, 40), strict=False):
        assert np.abs(got - wanted).max() <= 0.51


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"layout": "as_served", "params": {"format": "GEO_TIFF"}},
        {"layout": "zip", "params": {"format": "ZIPPED_GEO_TIFF_PER_BAND"}},
        {"params": {"format": "ZIPPED_GEO_TIFF_PER_BAND"}},
        {"params": {"format": "NPY"}},
        {"compression": "zstd"},
        {"compression": "none", "limits": {"tile_byte_count": 6000}},
    ],
    ids=str,
)
def test_every_way_to_publish_gives_the_same_picture(run: Run, fields: dict[str, Any]) -> None:
    params = {**SMALL, **fields.get("params", {})}
    own = {name: value for name, value in fields.items() if name != "params"}
    picture = picture_of(run(params, **own))
    for got, wanted in zip(picture, true_color(60, 40), strict=False):
        assert np.abs(got - wanted).max() <= 0.51


@pytest.mark.slow
def test_a_large_raster_is_shown_by_its_smallest_overview_and_a_groups_is_the_same(
    run: Run, bucket: str, s3: SeaweedFS
) -> None:
    picture = picture_of(run(LARGE, s3_prefix="a", limits=ROW))
    # Two overviews, and as much less as noise needs to be small.
    step = round(WIDTH / picture.shape[2])
    assert step in {4, 8}
    assert picture.shape == (4, -(-HEIGHT // step), -(-WIDTH // step))
    for got, wanted in zip(picture, true_color(WIDTH, HEIGHT, 4), strict=False):
        assert np.abs(got - wanted[:: step // 4, :: step // 4]).mean() < 25
    group = Group(
        image=SENTINEL2_ID, download_params=LARGE, s3_bucket=bucket, s3_prefix="b", limits=ROW
    )
    group.run()
    np.testing.assert_array_equal(picture_of(group.context["ti"].xcom), picture)
    assert len(list_pictures(s3.client(), bucket)) == 2


def test_it_can_be_switched_off(run: Run, bucket: str, s3: SeaweedFS) -> None:
    assert run(SMALL, quicklook="false")["summary"]["picture"] is None
    assert list_pictures(s3.client(), bucket) == []
    item = read_item(s3.client(), bucket, "x.tif.json")
    assert list(item["assets"]) == ["data"]
    # It changes nothing about the download.
    again = run(SMALL)
    assert again["summary"]["published_before"] is True
    assert again["summary"]["picture"] is None


def test_a_download_that_was_there_is_shown_by_its_picture(
    run: Run, bucket: str, s3: SeaweedFS, caplog: pytest.LogCaptureFixture
) -> None:
    first = run(SMALL)["summary"]
    second = run(SMALL)["summary"]
    assert second["published_before"] is True
    assert (second["picture"], second["files"]) == (first["picture"], first["files"])
    (key,) = list_pictures(s3.client(), bucket)
    s3.client().put_object(Bucket=bucket, Key=key, Body=b"another")
    assert run(SMALL)["summary"]["picture"] is None
    assert "is gone or another one" in caplog.text
    s3.client().delete_object(Bucket=bucket, Key=key)
    caplog.clear()
    assert run(SMALL)["summary"]["picture"] is None
    assert "is gone or another one" in caplog.text


@pytest.mark.slow
def test_a_replaced_download_leaves_no_picture_and_others_keep_theirs(
    run: Run, bucket: str, s3: SeaweedFS
) -> None:
    run(SMALL)
    run({**SMALL, "format": "NPY"})  # The same name, and another item.
    run({**SMALL, "name": "x.tif"})
    (key,) = [each for each in list_pictures(s3.client(), bucket) if each.startswith("x.tif.thu")]
    s3.client().copy_object(
        Bucket=bucket, Key=f"x.tif.thumbnail.{'0' * 32}.png", CopySource=f"{bucket}/{key}"
    )  # What an attempt left that died.
    run({**SMALL, "dimensions": [50, 40]})
    pictures = list_pictures(s3.client(), bucket)
    assert key not in pictures
    items = [each for each in list_keys(s3.client(), bucket) if each.endswith(".json")]
    assert len(items) == 3
    named = [read_item(s3.client(), bucket, each)["assets"]["thumbnail"]["href"] for each in items]
    assert sorted(named) == sorted(f"s3://{bucket}/{each}" for each in pictures)


def test_without_a_picture_the_replaced_ones_goes_too(run: Run, bucket: str, s3: SeaweedFS) -> None:
    run(SMALL)
    run({**SMALL, "bands": ["B8"]}, quicklook=False)
    assert list_pictures(s3.client(), bucket) == []


def is_of_picture(request: S3Request) -> bool:
    return ".thumbnail." in request.target


@pytest.fixture
def relay(
    request: pytest.FixtureRequest,
    connections: object,
    s3: SeaweedFS,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[S3Relay]:
    """A relay that refuses some of the requests about pictures."""
    method, answer = getattr(request, "param", (None, None))

    def refuse(asked: S3Request) -> tuple[int, str] | None:
        return answer if is_of_picture(asked) and asked.method == method else None

    with s3_relay_to(s3.endpoint_url, refuse=refuse) as running:
        connection = json.loads(s3.airflow_connection)
        connection["extra"]["endpoint_url"] = running.url
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
        yield running


@pytest.mark.slow
def test_the_picture_is_there_before_the_item_and_the_old_one_until_after_it(
    run: Run, relay: S3Relay
) -> None:
    run(SMALL)
    relay.requests.clear()
    run({**SMALL, "bands": ["B8"]})
    writes = [
        (each.method, is_of_picture(each), ".json" in each.target)
        for each in relay.requests
        if each.operation in {"PutObject", "DeleteObject"}
    ]
    claim, picture, item, deletion = writes[-4:]
    assert claim == item == ("PUT", False, True)
    assert (picture, deletion) == (("PUT", True, False), ("DELETE", True, False))


@pytest.mark.slow
@pytest.mark.parametrize(
    "relay",
    [
        ("PUT", (403, "AccessDenied")),
        ("PUT", (409, "ConditionalRequestConflict")),
        ("PUT", (412, "PreconditionFailed")),
        ("PUT", (500, "InternalError")),
    ],
    indirect=True, ids=str,
)  # fmt: skip
@pytest.mark.usefixtures("relay")
def test_a_store_that_takes_no_picture_gets_the_download(
    run: Run, bucket: str, s3: SeaweedFS, caplog: pytest.LogCaptureFixture
) -> None:
    xcom = run(SMALL)
    assert xcom["summary"]["picture"] is None
    assert "Could not store the picture" in caplog.text
    item = read_item(s3.client(), bucket, "x.tif.json")
    assert list(item["assets"]) == ["data"]
    assert "earthengine:warnings" not in item["properties"]


@pytest.mark.slow
@pytest.mark.parametrize("relay", [("DELETE", (403, "AccessDenied"))], indirect=True)
@pytest.mark.usefixtures("relay")
def test_a_store_that_deletes_nothing_gets_the_download(
    run: Run, bucket: str, s3: SeaweedFS, caplog: pytest.LogCaptureFixture
) -> None:
    run(SMALL)
    picture_of(run({**SMALL, "bands": ["B8"]}))
    assert "a picture that no item names" in caplog.text
    assert len(list_pictures(s3.client(), bucket)) == 2


@pytest.mark.parametrize("relay", [("GET", (403, "AccessDenied"))], indirect=True)
@pytest.mark.usefixtures("relay")
def test_a_picture_that_must_not_be_read_is_missing_in_xcom(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(SMALL)["summary"]["picture"] is None
    assert "Could not read the picture" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("error", [MemoryError(), ValueError("no <b>\nline"), OSError(28, "full")])
def test_a_picture_that_cannot_be_drawn_is_a_warning(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    # No raster is known that cannot be drawn.
    monkeypatch.setattr(thumbnails, "draw_quicklook", fail)
    assert run(SMALL)["summary"]["picture"] is None
    (record,) = [each for each in caplog.records if "Could not draw a picture" in each.message]
    assert record.levelno == logging.WARNING
    assert "\n" not in record.message


def test_sixty_four_bands_are_shown_by_the_first_and_listed(
    run: Run, put_odd: Callable[..., None]
) -> None:
    put_odd(*(f"x{number}" for number in range(64)))
    summary = run(WHOLE, image=ODD)["summary"]
    assert [each["name"] for each in summary["bands"]] == [f"x{number}" for number in range(64)]
    assert summary["left_out"] == {}


def test_one_pixel_is_a_picture(run: Run, put_odd: Callable[..., None]) -> None:
    put_odd("x", width=1, height=1)
    picture = picture_of(run(WHOLE, image=ODD))
    assert picture[:, 0, 0].tolist() == [33, 145, 140, 255]  # The middle of viridis.


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_where_all_is_masked_the_picture_is_transparent(
    run: Run, put_odd: Callable[..., None], dtype: str
) -> None:
    everything = [{"left": 0, "top": 0, "width": 30, "height": 20}]
    put_odd("x", dtype=dtype, masked=everything)
    assert not picture_of(run(WHOLE, image=ODD)).any()


def test_masked_pixels_and_nan_are_transparent_and_the_others_stretched(
    run: Run, put_odd: Callable[..., None]
) -> None:
    put_odd("red", "green", "blue", dtype="float32",
            masked=[{"left": 0, "top": 0, "width": 5, "height": 4}],
            nan=[{"left": 10, "top": 10, "width": 3, "height": 2}])  # fmt: skip
    picture = picture_of(run(WHOLE, image=ODD))
    valid = np.ones((20, 30), bool)
    valid[:4, :5] = valid[10:12, 10:13] = False
    np.testing.assert_array_equal(picture[3], np.where(valid, 255, 0))
    rows, columns = np.arange(20)[:, np.newaxis], np.arange(30)[np.newaxis, :]
    for number in range(3):
        band = formula_values(number, "float32", rows, columns)
        low, high = np.percentile(band[valid].astype(float), (2, 98))
        wanted = np.interp(band.astype(float), (low, high), (0, 255))
        assert np.abs(picture[number] - wanted)[valid].max() <= 0.51


def test_a_strip_keeps_its_proportions(run: Run, put_odd: Callable[..., None]) -> None:
    put_odd("x", width=2000, height=100)
    picture = picture_of(run(WHOLE, image=ODD))
    assert picture.shape == (4, 25, 500)


def test_names_with_markup_are_names(run: Run, put_odd: Callable[..., None]) -> None:
    put_odd("B<script>alert(1)</script>", '"><img src=x onerror=alert(1)>')
    summary = run(WHOLE, image=ODD)["summary"]
    assert [each["name"] for each in summary["bands"]] == [
        "B<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'
    ]  # fmt: skip


def test_the_summary_says_what_was_asked_and_what_it_took(run: Run, bucket: str) -> None:
    summary = run(SMALL, limits={"tile_byte_count": 6000})["summary"]
    assert summary["item"] == f"s3://{bucket}/x.tif.json"
    assert summary["asked"]["asset_id"] == SENTINEL2_ID
    assert summary["asked"]["params"]["bands"] == [{"id": band} for band in TRUE_COLOR]
    (file,) = summary["files"]
    assert (file["uri"], file["crs"]) == (f"s3://{bucket}/x.tif", "EPSG:32610")
    assert (file["width"], file["height"]) == (60, 40)
    assert summary["byte_count"] == file["byte_count"] > 0
    assert [band["valid_percent"] for band in summary["bands"]] == [100, 100, 100]
    assert summary["footprint"]["type"] == "Polygon"
    assert summary["requests"] > 1
    assert 0 <= summary["seconds"] < 60
