"""A task's lineage -> OpenLineage's datasets and facets.

It needs ``apache-airflow-providers-openlineage``, which alone calls what imports this module.
Datasets are named as OpenLineage's naming conventions have it for S3: the namespace is the bucket,
the name is the key. They have no convention for Earth Engine: as BigQuery's tables, its assets have
one namespace, and their ids for names. Source:
https://openlineage.io/docs/spec/naming, read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    RunFacet,
    column_lineage_dataset,
    dataset_version_dataset,
    output_statistics_output_dataset,
    schema_dataset,
)

from airflow_provider.earthengine.download.program import BandOrigin, origins_of
from airflow_provider.earthengine.download.publish.record import CommitRecord, StoredObject
from airflow_provider.earthengine.download.publish.recorded_lineage import RecordedBand
from airflow_provider.earthengine.hooks.lineage import NAMESPACE
from airflow_provider.earthengine.task.lineage import MOST_DATASETS, TaskLineage

RUN_FACET = "earthengine_download"


@attrs.define
class EarthEngineDownloadRunFacet(RunFacet):
    """A download of Earth Engine.

    :param item: the URI of its STAC item.
    :param fingerprint: the same for the same image, parameters and layout.
    :param published: whether this task published it; false if it was there already.
    """

    item: str
    fingerprint: str
    published: bool


def lineage_for_openlineage(lineage: TaskLineage) -> OperatorLineage[Any, Any]:
    """Return what OpenLineage is told of a task."""
    inputs = [_input(*source) for source in lineage.sources().items()]
    record = lineage.record
    if record is None or lineage.job is None:
        return OperatorLineage(inputs=inputs)
    bands = record.lineage.bands
    names = tuple(band.band_id for each in bands.values() for band in each)
    origins = origins_of(lineage.job.image.expression, names)
    outputs = [
        _output(uri, stored, bands.get(uri, ()), origins)
        for uri, stored in zip(record.uris, record.objects, strict=True)
    ]
    return OperatorLineage(
        inputs=inputs,
        outputs=outputs[:MOST_DATASETS],
        run_facets={RUN_FACET: _run_facet(record, was_there=lineage.was_there)},
    )


def _run_facet(record: CommitRecord, *, was_there: bool) -> EarthEngineDownloadRunFacet:
    return EarthEngineDownloadRunFacet(record.item_uri, record.fingerprint, not was_there)


def _input(asset_id: str, version: int | None) -> InputDataset:
    facets: dict[str, Any] = {}
    if version is not None:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(str(version))
    return InputDataset(NAMESPACE, asset_id, facets=facets)


def _output(
    uri: str,
    stored: StoredObject,
    bands: tuple[RecordedBand, ...],
    origins: Mapping[str, BandOrigin],
) -> OutputDataset:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    facets: dict[str, Any] = {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(stored.etag)
    }
    if bands:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            [
                schema_dataset.SchemaDatasetFacetFields(
                    band.band_id, band.dtype, ordinal_position=n
                )
                for n, band in enumerate(bands, start=1)
            ]
        )
    fields = {
        band.band_id: _columns(origins[band.band_id]) for band in bands if band.band_id in origins
    }
    if fields:
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(fields)
    size = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        size=stored.byte_count, fileCount=1
    )
    return OutputDataset(
        f"s3://{bucket}", key, outputFacets={"outputStatistics": size}, facets=facets
    )


def _columns(origin: BandOrigin) -> column_lineage_dataset.Fields:
    selected = column_lineage_dataset.Transformation(
        "DIRECT", "IDENTITY", "pixels of the band, on the grid of the download", False
    )
    field = column_lineage_dataset.InputField(
        NAMESPACE, origin.asset_id, origin.band_id, [selected]
    )
    return column_lineage_dataset.Fields([field])
