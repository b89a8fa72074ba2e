"""Answers of Earth Engine that are wrong somewhere: only errors of this package come of them.

The answers travel over a socket, through the official client and the hook, to where they are used.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import ee
import pytest

from airflow_provider.earthengine.catalog.image_query import ImageQuery
from airflow_provider.earthengine.catalog.listed_downloads import each_image
from airflow_provider.earthengine.catalog.listing import cover_dates, list_images
from airflow_provider.earthengine.catalog.property_conditions import read_conditions
from airflow_provider.earthengine.catalog.versions import present_versions
from airflow_provider.earthengine.catalog.waiting import read_sighting
from airflow_provider.earthengine.download.fields.job import DownloadFields, Job, Worker, read_job
from airflow_provider.earthengine.download.fields.source import ListedImage
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo
from airflow_provider.earthengine.download.plan.plan import plan_job
from airflow_provider.earthengine.download.plan.raster_plan import GridAsk, RasterPlan
from airflow_provider.earthengine.download.publish.files import GEOTIFF_MEDIA_TYPE, LocalFile
from airflow_provider.earthengine.download.publish.item import Run, Source, build_item
from airflow_provider.earthengine.download.publish.record import StoredObject
from airflow_provider.earthengine.download.raster.facts import (
    BandFacts,
    BandStatistics,
    RasterFacts,
)
from airflow_provider.earthengine.download.raster.property_tags import encode_properties
from airflow_provider.earthengine.exceptions import EarthEngineProviderError
from airflow_provider.earthengine.hooks.computation import ExpressionClient
from airflow_provider.earthengine.hooks.connection_config import ConnectionConfig
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from tests.support.mutated import mutations
from tests.unit.hooks.conftest import HookMaker
from tests.unit.hooks.scripted_earthengine import (
    ALGORITHMS,
    COMPUTE,
    THUMBNAILS,
    Answer,
    ScriptedEarthEngine,
)

SEED = 20_261_126

pytestmark = pytest.mark.mutated
UTM = {"crs": "EPSG:32610", "crs_transform": [20, 0, 499_980, 0, -20, 4_200_000]}


def band(name: str, precision: str, low: Any, high: Any, **more: Any) -> dict[str, Any]:
    limits = {} if low is None else {"min": low, "max": high}
    return {"id": name, "data_type": {"type": "PixelType", "precision": precision, **limits},
            "dimensions": [105, 86], **UTM, **more}  # fmt: skip


DESCRIPTION = {
    "type": "Image",
    "id": "A/scene",
    "version": 1_641_990_767_055_141,
    "bands": [
        band("B3", "int", 0, 65_535, origin=[64, 10]),
        band("angle", "double", None, None),
        band("MSK", "float", -1.5, 1.5, dimensions=[0, 0]),
    ],
    "properties": {
        "system:time_start": 1_610_218_671_000,
        "system:time_end": 1_610_218_672_000,
        "system:index": "scene",
        "system:footprint": {"type": "LinearRing", "coordinates": [[-122.1, 37.1], [-122, 37]]},
        "CLOUDY_PIXEL_PERCENTAGE": 12.5,
        "list": [1, "two", None],
    },
}
FORMATS = ("GEO_TIFF", "NPY", "ZIPPED_GEO_TIFF_PER_BAND")


@pytest.fixture
def session(make_hook: HookMaker, server: ScriptedEarthEngine) -> Iterator[EarthEngineHook]:
    with make_hook(server.url).trying_once() as hook:
        hook.get_conn()
        yield hook


def counted(cases: Iterator[Any], use: Callable[[Any], object]) -> Counter[str]:
    """Return how many cases were usable, and how many met which error of this package."""
    outcomes: Counter[str] = Counter()
    for case in cases:
        try:
            use(case)
        except EarthEngineProviderError as error:
            outcomes[type(error).__name__] += 1
            outcomes["too long"] += len(str(error)) > 2000
        else:
            outcomes["usable"] += 1
    assert not outcomes.pop("too long", 0)
    return outcomes


def answer_with(server: ScriptedEarthEngine, what: str, body: Any, times: int = 1) -> None:
    server.script[what].clear()
    server.answer(what, *[Answer(200, json.dumps(body))] * times)


def job_of(number: int) -> Job:
    params = {"region": [-122.08, 37.04, -122.07, 37.05], "format": FORMATS[number % 3]}
    fields = DownloadFields(
        image="A/scene", download_params=params, s3_bucket="bucket",
        nodata=-1 if number % 5 == 0 else None,
    )  # fmt: skip
    return read_job(fields, "run", Worker(lambda: None, lambda _: b"", {}))


def record(job: Job, info: Any) -> bytes:
    """Return the item of a raster of one band that was downloaded."""
    grid = PixelGrid("EPSG:32610", (20.0, 0.0, 499_980.0, 0.0, -20.0, 4_200_000.0), 5, 4)
    plan = RasterPlan(".tif", (BandInfo("B3", "uint16", grid),), GridAsk())
    facts = RasterFacts(
        Path("x"), plan, grid, (BandFacts("B3", "uint16", 0, BandStatistics(1, 9, 5, 50)),), ()
    )
    file = LocalFile(".tif", Path("x"), 1, "ab" * 32, GEOTIFF_MEDIA_TYPE, (facts,))
    stored = StoredObject("scene.tif", 1, '"e"', "ab" * 32)
    source = Source(job.image, info, job.params, job.record)
    return build_item(job.destination, job.identity, source, Run({}), [file], [stored])


@pytest.mark.slow
def test_a_mutated_description_makes_a_plan_and_a_record_or_an_error_of_ours(
    server: ScriptedEarthEngine, session: EarthEngineHook
) -> None:
    def use(case: tuple[int, Any]) -> None:
        number, answer = case
        job = job_of(number)
        # A band of 0 x 0 pixels is asked about once more.
        answer_with(server, COMPUTE, {"result": answer}, times=3)
        plan = plan_job(job, session)
        list(plan.lines())
        json.dumps(plan.to_dict(), allow_nan=False)
        "".join(encode_properties(plan.info.properties).values()).encode()
        assert len(json.dumps(json.loads(record(job, plan.info)))) < 4_000_000

    answers = mutations([DESCRIPTION, DESCRIPTION], 300, SEED)
    outcomes = counted(enumerate(answers), use)
    # Both happen often, or the mutations are too mild or too wild to say anything.
    assert outcomes["usable"] > 50
    assert outcomes["ServiceUnavailableError"] > 50


def an_image_query() -> ImageQuery:
    return ImageQuery(
        "A/B",
        datetime(2021, 1, 1, tzinfo=UTC),
        datetime(2022, 1, 1, tzinfo=UTC),
        [5.0, 43.0, 5.1, 43.1],
        read_conditions({"CLOUDS": {"lt": 20}}),
        80.0,
    )


ROWS = [["one", 1_610_218_671_000, 1_641_990_767_055_141], ["two", None, None]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "ask"),
    [
        (
            [3, {"min": 5, "max": 1_641_990_767_055_141}],
            lambda hook: read_sighting(hook.compute_value(ee.Number(1)), 0.0),
        ),
        (
            [ROWS, [["CLOUDS", "system:index"]], [0]],
            lambda hook: [
                download.to_fields()
                for download in each_image(list_images(hook, an_image_query()).images)
            ],
        ),
        (
            [99.5, 100],
            lambda hook: cover_dates(
                hook, an_image_query(), each_image([ListedImage("A/B/c", None, 1)] * 2)
            ),
        ),
        (
            [["one", 5], ["two", None]],
            lambda hook: present_versions(hook, ["A/B/one", "A/B/two"]),
        ),
        (5, lambda hook: present_versions(hook, ["alone"])),
    ],
    ids=["how many", "which", "how much is covered", "versions", "a version"],
)
def test_a_mutated_answer_about_a_collection_is_used_or_an_error_of_ours(
    server: ScriptedEarthEngine,
    session: EarthEngineHook,
    answer: Any,
    ask: Callable[[EarthEngineHook], object],
) -> None:
    def use(body: Any) -> None:
        answer_with(server, COMPUTE, body)
        json.dumps(ask(session), default=str)

    # What the hook's caller gets, and then the whole body.
    outcomes = counted(({"result": each} for each in mutations(answer, 50, SEED)), use)
    outcomes += counted(mutations({"result": answer}, 10, SEED), use)
    assert outcomes["ServiceUnavailableError"] > 20
    assert set(outcomes) <= {"usable", "ServiceUnavailableError"}


@pytest.mark.slow
def test_a_mutated_download_id_is_one_or_an_error_of_ours_that_does_not_show_it(
    server: ScriptedEarthEngine, session: EarthEngineHook
) -> None:
    secret = f"{'c0ffee' * 6}-{'decade' * 6}"
    told: list[str] = []

    def use(body: Any) -> None:
        answer_with(server, THUMBNAILS, body)
        try:
            found = session.get_download_id({"image": ee.Image("A/B")})
        except EarthEngineProviderError as error:
            told.append(f"{error!r} {error} {error.__context__}")
            raise
        assert session.make_download_url(found).isascii()

    name = f"projects/demo/thumbnails/{secret}"
    assert counted(iter([{"name": name}, {"name": f"{name}?x"}]), use)["usable"] == 1
    outcomes = counted(mutations({"name": name}, 60, SEED), use)
    assert set(outcomes) <= {"usable", "ServiceUnavailableError"}
    assert len(told) > 20
    assert secret not in " ".join(told)


FUNCTIONS = (
    *("Image.load", "Image.select", "Image.addBands", "Image.clip", "Image.clipToBoundsAndScale"),
    *("Image.reproject", "Image.setDefaultProjection", "Projection"),
)


@pytest.mark.slow
def test_a_mutated_list_of_functions_opens_a_session_or_is_an_error_of_ours(
    server: ScriptedEarthEngine, make_hook: HookMaker
) -> None:
    from tests.unit.hooks import scripted_earthengine

    listed = scripted_earthengine._ALGORITHMS["algorithms"]
    needed = [each for each in listed if each["name"].removeprefix("algorithms/") in FUNCTIONS]
    assert len(needed) == len(FUNCTIONS)

    def use(answer: Answer) -> None:
        ee.Reset()
        server.script[ALGORITHMS].clear()
        # The client asks for a list of nothing again and again.
        server.answer(ALGORITHMS, *[answer] * 100)
        session = make_hook(server.url).trying_once()
        session.get_conn().Image("A/B").select(["B3"])

    odd = [Answer(204), Answer(200, "null")]
    assert counted(iter(odd), use) == {"ServiceUnavailableError": 2}
    answers = (
        Answer(200, json.dumps(each)) for each in mutations({"algorithms": needed}, 30, SEED)
    )
    outcomes = counted(answers, use)
    assert set(outcomes) <= {"usable", "ServiceUnavailableError"}
    assert outcomes["usable"]


@pytest.mark.slow
def test_a_mutated_refusal_is_an_error_of_ours(
    server: ScriptedEarthEngine, session: EarthEngineHook
) -> None:
    refusal = {
        "error": {
            "code": 400,
            "message": "Total request size (56623104 bytes) must be less than or equal to "
            "50331648 bytes.",
            "details": [{"@type": "x/ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"}],
        }
    }
    digits = {"error": {"message": f"request size ({'9' * 5000} bytes) of {'9' * 5000} bytes"}}

    def use(answer: Answer) -> None:
        server.script[COMPUTE].clear()
        server.answer(COMPUTE, answer)
        session.compute_value(ee.Number(1))

    bodies = [digits, *mutations(refusal, 60, SEED)]
    after = ("nan", "inf", "-1", "1e999", "Fri, 31 Dec 9999 23:59:59 -0000", "soon")
    statuses = (400, 403, 404, 429, 503)
    answers = (
        Answer(status, json.dumps(body), {"Retry-After": seconds})
        for body, status, seconds in zip(bodies, cycle(statuses), cycle(after), strict=False)
    )
    outcomes = counted(answers, use)
    assert not outcomes["usable"]
    assert outcomes["RequestTooLargeError"]


def test_the_triggerers_client_reads_what_the_workers_reads(server: ScriptedEarthEngine) -> None:
    config = ConnectionConfig("earth", "anonymous", server.url, "demo")
    client = ExpressionClient(config)
    expression = json.dumps({"result": "0", "values": {"0": {"constantValue": 1}}})

    def use(body: Any) -> None:
        server.script[COMPUTE].clear()
        server.answer(COMPUTE, Answer(200, body if isinstance(body, str) else json.dumps(body)))
        read_sighting(client.compute(expression, "look", 10.0), 0.0)

    whole = {"result": [3, {"min": 5, "max": 1_641_990_767_055_141}]}
    odd = ["", "null", "[]", "[" * 100_000, '{"result": ' + "1" * 5_000 + "}", '"result"']
    assert counted(iter(odd), use) == {"ServiceUnavailableError": len(odd)}
    outcomes = counted(mutations(whole, 60, SEED), use)
    assert set(outcomes) <= {"usable", "ServiceUnavailableError"}
