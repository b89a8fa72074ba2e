"""Job -> plan: Earth Engine's description of the image, and the requests that the download takes.

DAG files import this module on every parse, so the functions import what takes seconds to load.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.download.fields.values import shown_names
from airflow_provider.earthengine.exceptions import DownloadParamsError

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.client import Session, ValueComputer
    from airflow_provider.earthengine.download.fields.job import Job
    from airflow_provider.earthengine.download.plan.image_info import ImageInfo
    from airflow_provider.earthengine.download.plan.requests import Download


_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Plan:
    """A job with its plan.

    :param image: an ``ee.Image``, with the user's nodata value in masked pixels if there is one.
    :param info: Earth Engine's description of the image with the job's own parameters applied; its
        warnings include those about the parameters.
    """

    job: Job
    image: Any
    info: ImageInfo
    download: Download

    def check_unchanged(self, client: ValueComputer) -> None:
        """Raise if the image was replaced since it was planned: its tiles may mix both versions.

        :raises SourceChangedError: if the image was replaced.
        """
        from airflow_provider.earthengine.download.plan.describe import check_unchanged

        check_unchanged(client, self.job.image.to_ee(), self.job.params, self.info)

    def to_dict(self) -> dict[str, Any]:
        """Return requests, bytes and files as plain values."""
        destination = self.job.destination
        suffixes = [raster.suffix for raster in self.download.rasters]
        return {
            "requests": self.download.request_count,
            "byte_count": self.download.byte_count,
            "raster_byte_count": self.download.raster_byte_count,
            "files": [
                destination.uri(destination.key(suffix))
                for suffix in ([".zip"] if self.download.layout == "zip" else suffixes)
            ],
            "item": destination.item_uri,
            "warnings": list(self.info.warnings),
        }

    def lines(self) -> Iterator[str]:
        """Yield the plan, line by line, for the log."""
        count = self.download.request_count
        yield (
            f"Plan: {self.job.image.asset_id or 'a computed image'} as "
            f"{self.download.params.file_format}, {count:,} request{'s' if count > 1 else ''} of "
            f"{self.download.byte_count / _MEBIBYTE:,.1f} MiB in total as Earth Engine counts, to "
            f"{self.job.destination.item_uri}"
        )
        for raster in self.download.rasters:
            bands = ", ".join(f"{band.id} ({band.dtype})" for band in raster.bands)
            yield f"  {self.job.destination.name(raster.suffix)}: {bands}; {raster.grid}"


def plan_job(job: Job, session: Session) -> Plan:
    """Return the plan; Earth Engine computes only the image's description for it, no pixels.

    :raises PermanentError: if the job cannot be planned.
    """
    session.get_conn()
    from airflow_provider.earthengine.download.plan.apart import (
        mark_apart,
        place_bands,
        warn_of_bands_apart,
    )
    from airflow_provider.earthengine.download.plan.describe import describe_image
    from airflow_provider.earthengine.download.plan.few_pixels import warn_of_few_pixels
    from airflow_provider.earthengine.download.plan.nodata import fill_masked
    from airflow_provider.earthengine.download.plan.own_grid import check_own_grids
    from airflow_provider.earthengine.download.plan.requests import plan_download

    image, params = job.image.to_ee(), job.params
    description = mark_apart(describe_image(session, image, params))
    check_own_grids(session, job.image, description, params)
    info = description.asked
    _check_recorded_bands(job, info)
    image, params, bands = place_bands(session, image, params, info.bands)
    placed = replace(info, bands=bands)
    if job.nodata is not None:
        image, params, placed = fill_masked(image, params, placed, job.nodata)
    download = plan_download(placed, params, job.layout, job.nodata, job.limits)
    warnings = (
        *info.warnings,
        *warn_of_bands_apart(info.bands),
        *warn_of_few_pixels(description, job.params),
    )
    return Plan(job, image, replace(info, warnings=warnings), download)


def _check_recorded_bands(job: Job, info: ImageInfo) -> None:
    """Raise if the user describes a band that the download does not have."""
    known = [band.id for band in info.bands]
    if unknown := [name for name in job.bands if name not in known]:
        raise DownloadParamsError(
            f"record['bands'] names {shown_names(unknown)}, which the download does not have; it "
            f"has {shown_names(known)}.",
            field="record",
        )
