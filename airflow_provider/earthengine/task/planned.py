"""What a plan says of the files to be made of it, and of the item."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.plan.plan import Plan
    from airflow_provider.earthengine.download.publish.item import Source
    from airflow_provider.earthengine.download.raster.block_canvas import CogForm


def source_of(plan: Plan) -> Source:
    """Return what the item says of where the pixels come from.

    :param plan: as it was done.
    """
    from airflow_provider.earthengine.download.publish.item import Source

    job = plan.job
    return Source(
        job.image,
        plan.info,
        job.params,
        job.record,
        job.source,
        bands=job.bands,
        lattice=job.lattice,
        region=job.region,
        collection=job.collection,
    )


def form_of(plan: Plan) -> CogForm:
    """Return what the COGs of a download are like."""
    from airflow_provider.earthengine.download.plan.origin import sensor_of
    from airflow_provider.earthengine.download.raster.block_canvas import CogForm
    from airflow_provider.earthengine.download.raster.cog_tags import BandLook
    from airflow_provider.earthengine.download.raster.property_tags import encode_properties

    job = plan.job
    sensor = sensor_of(job.image, plan.info, job.source)
    looks = {}
    for band in plan.info.bands:
        measured, given = sensor and sensor.band(band.id), job.bands.get(band.id, {})
        looks[band.id] = BandLook(
            measured.common_name if measured else None,
            given.get("raster:scale", 1.0),
            given.get("raster:offset", 0.0),
        )
    return CogForm(job.compression, encode_properties(plan.info.properties), looks)
