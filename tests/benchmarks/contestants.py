"""Who is compared, in which of two environments, and by which function."""

from __future__ import annotations

from dataclasses import dataclass

OURS = "ours"
OURS_WITH_ZSTD = "ours-zstd"
OURS_KEEPING_TILES = "ours-resume"
RAW_FLOOR = "floor-raw"
COG_FLOOR = "floor-cog"
GEEDIM = "geedim"
GEEDIM_DEFAULTS = "geedim-defaults"
CODEC_FLOOR = "floor-codec"


@dataclass(frozen=True)
class Contestant:
    """One way to bring a raster from Earth Engine to a bucket.

    :param module: of this folder, which has ``run(assignment)``, and ``rehearse(assignment)`` that
        asks Earth Engine the same and keeps nothing.
    :param variant: the word that ``run`` and ``rehearse`` are given besides.
    :param plan: contestants of one plan send the same requests, so one rehearsal is enough.
    :param is_with_s3fs: whether it runs in the environment that has s3fs.
    :param is_for_memory: whether it takes part where only memory is looked at.
    :param is_in_steps: whether its steps are measured alone; then the module has
        ``measure(assignment)`` instead, and nothing is stored.
    :param is_once: whether it takes part in one cell of full size only.
    :param is_read: whether readers read its raster, where that is measured.
    """

    name: str
    title: str
    module: str
    variant: str
    plan: str
    is_with_s3fs: bool = False
    is_for_memory: bool = False
    is_in_steps: bool = False
    is_once: bool = False
    is_read: bool = False


CONTESTANTS = (
    Contestant(
        OURS,
        "this provider, in an Airflow task",
        "ours",
        "",
        "ours",
        is_for_memory=True,
        is_read=True,
    ),
    Contestant(OURS_WITH_ZSTD, "the same with zstd", "ours", "zstd", "ours"),
    Contestant(
        OURS_KEEPING_TILES,
        "the same, keeping every tile in the bucket for a retry",
        "ours",
        "resume",
        "ours",
        is_once=True,
    ),
    Contestant(
        GEEDIM,
        "geedim: 32 MiB tiles, 16 requests, COG, then upload_file",
        "with_geedim",
        "equal-cog",
        "geedim-equal",
        is_for_memory=True,
        is_read=True,
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
        GEEDIM_DEFAULTS,
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
    Contestant(
        CODEC_FLOOR,
        "floor: each step of the codec alone",
        "codec_floor",
        "",
        "",
        is_in_steps=True,
    ),
)


def known(name: str) -> Contestant:
    """Return the contestant of a name."""
    (found,) = (contestant for contestant in CONTESTANTS if contestant.name == name)
    return found
