"""What OpenLineage is told of a task, from what is known when it ends."""

from __future__ import annotations

from typing import Any

from airflow_provider.earthengine.download.fields.job import (
    DownloadFields,
    Job,
    Worker,
    read_job,
)
from airflow_provider.earthengine.download.fields.source import ListedImage
from airflow_provider.earthengine.download.publish.record import CommitRecord, StoredObject
from airflow_provider.earthengine.download.publish.recorded_lineage import (
    RecordedBand,
    RecordedLineage,
)
from airflow_provider.earthengine.task.lineage import MOST_DATASETS, TaskLineage
from airflow_provider.earthengine.task.openlineage_facets import lineage_for_openlineage

URI = "s3://a.bucket/some/prefix/São Paulo.tif"


def job(image: Any = "COLLECTION/a", **fields: Any) -> Job:
    params = {"scale": 20, "format": "GEO_TIFF", **fields.pop("params", {})}
    given = DownloadFields(image=image, download_params=params, s3_bucket="a.bucket", **fields)
    worker = Worker(connect=lambda: None, read_uri=lambda _: b"", run_values={})
    return read_job(given, "run", worker)


def record(lineage: RecordedLineage) -> CommitRecord:
    stored = StoredObject("some/prefix/São Paulo.tif", 1234, '"etag"', "0" * 64)
    return CommitRecord(f"{URI}.json", '"item"', "v1:f", "run", (stored,), (URI,), lineage=lineage)


def test_a_task_that_failed_has_its_inputs() -> None:
    told = lineage_for_openlineage(TaskLineage(job()))
    assert [(each.namespace, each.name) for each in told.inputs] == [
        ("earthengine", "COLLECTION/a")
    ]
    assert (told.outputs, told.run_facets) == ([], {})


def test_a_task_that_failed_before_it_read_its_fields_tells_nothing() -> None:
    told = lineage_for_openlineage(TaskLineage())
    assert (told.inputs, told.outputs) == ([], [])


def test_versions_are_those_of_the_item_and_else_those_of_the_listing() -> None:
    source = {"name": "day", "images": [["COLLECTION/b", 5], ["COLLECTION/c", None]]}
    recorded = RecordedLineage((ListedImage("COLLECTION/a", None, 7),))
    lineage = TaskLineage(job(source=source), record(recorded))
    assert lineage.sources() == {"COLLECTION/a": 7, "COLLECTION/b": 5, "COLLECTION/c": None}
    told = lineage_for_openlineage(lineage)
    versions = {
        each.name: each.facets["version"].datasetVersion for each in told.inputs if each.facets
    }
    assert versions == {"COLLECTION/a": "7", "COLLECTION/b": "5"}


def test_a_table_that_is_the_region_is_an_input() -> None:
    lineage = TaskLineage(job(params={"region": "projects/demo/assets/areas"}))
    assert list(lineage.sources()) == ["COLLECTION/a", "projects/demo/assets/areas"]


def test_an_object_is_named_by_bucket_and_key_whatever_the_key_is() -> None:
    told = lineage_for_openlineage(TaskLineage(job(), record(RecordedLineage())))
    (output,) = told.outputs
    assert (output.namespace, output.name) == ("s3://a.bucket", "some/prefix/São Paulo.tif")
    # Nothing is known of its bands, and nothing is said.
    assert set(output.facets or {}) == {"version"}


def test_a_band_that_the_item_does_not_know_by_its_object_is_not_told() -> None:
    bands = {"s3://a.bucket/another.tif": (RecordedBand("B4", "uint16"),)}
    told = lineage_for_openlineage(TaskLineage(job(), record(RecordedLineage((), bands))))
    assert "schema" not in (told.outputs[0].facets or {})


def test_an_event_names_so_many_inputs_at_most() -> None:
    images = [[f"COLLECTION/{number}", number] for number in range(MOST_DATASETS + 1)]
    lineage = TaskLineage(job(source={"name": "many", "images": images}))
    assert len(lineage.sources()) == MOST_DATASETS
