"""Who is compared, in which of two environments, and by which function."""

from __future__ import annotations

from dataclasses import dataclass

OURS = "ours"
RAW_FLOOR = "floor-raw"
COG_FLOOR = "floor-cog"
GEEDIM = "geedim"


@dataclass(frozen=True)
class Contestant:
    """One way to bring a raster from Earth Engine to a bucket.

    :param module: of this folder, which has ``run(assignment)``, and ``rehearse(assignment)`` that
        asks Earth Engine the same and keeps nothing.
    :param variant: the word that ``run`` and ``rehearse`` are given besides.
    :param plan: contestants of one plan send the same requests, so one rehearsal is enough.
    :param is_with_s3fs: whether it runs in the environment that has s3fs.
    :param is_for_memory: whether it takes part where only memory is looked at.
    """

    name: str
    title: str
    module: str
    variant: str
    plan: str
    is_with_s3fs: bool = False
    is_for_memory: bool = False


CONTESTANTS = (
    Contestant(OURS, "this provider, in an Airflow task", "ours", "", "ours", is_for_memory=True),
    Contestant(
        GEEDIM,
        "geedim: 32 MiB tiles, 16 requests, COG, then upload_file",
        "with_geedim",
        "equal-cog",
        "geedim-equal",
        is_for_memory=True,
    ),
    Contestant(
        "geedim-gtiff",
        "the same, as a plain GeoTIFF",
        "with_geedim",
        "equal-gtiff",
        "geedim-equal",
    ),
    Contestant(
        "geedim-fsspec",
        "the same COG, written through s3fs",
        "with_geedim",
        "equal-fsspec",
        "geedim-equal",
        is_with_s3fs=True,
    ),
    Contestant(
        "geedim-defaults",
        "geedim's defaults (4 MiB tiles, 32 requests, GeoTIFF, deflate), then upload_file",
        "with_geedim",
        "defaults",
        "geedim-defaults",
    ),
    Contestant(
        RAW_FLOOR,
        "floor: bytes fetched and uploaded, nothing decoded",
        "floors",
        "raw",
        "floor",
        is_for_memory=True,
    ),
    Contestant(
        COG_FLOOR,
        "floor: fetched, one pass of GDAL's COG driver, uploaded",
        "floors",
        "cog",
        "floor",
    ),
)


def known(name: str) -> Contestant:
    """Return the contestant of a name."""
    (found,) = (contestant for contestant in CONTESTANTS if contestant.name == name)
    return found
