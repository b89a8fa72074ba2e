"""The limits of the real service, with its own texts.

Source of the numbers: https://developers.google.com/earth-engine/reference/rest/v1/projects.image/computePixels
(2025-08): 48 MB of uncompressed data, 32K pixels a side, 1024 bands.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument
from airflow_provider.earthengine.emulator.values.grids import PixelGrid
from airflow_provider.earthengine.emulator.values.images import Band

MOST_PIXEL_BYTES = 48 * 1024 * 1024
MOST_PIXELS_PER_SIDE = 32768
MOST_BANDS = 1024
# Source: https://github.com/gee-community/geemap/issues/1092 (text and number).
MOST_PAYLOAD_BYTES = 10 * 1024 * 1024
# Source: https://developers.google.com/earth-engine/guides/image_visualization (2025-08).
DOWNLOAD_ID_SECONDS = 2 * 60 * 60
# Every pixel of every band is counted with its mask.
# Source: https://github.com/google/Xee/issues/49 and /issues/50 (exact byte counts).
MASK_BYTES = 1


def payload_too_large() -> ApiError:
    """Return the refusal of a request body above the limit."""
    return invalid_argument(f"Request payload size exceeds the limit: {MOST_PAYLOAD_BYTES} bytes.")


def check_request_size(parts: Sequence[tuple[PixelGrid, Sequence[Band]]]) -> None:
    """Refuse what is too large to be computed in one request.

    The side is checked before the size: real requests that exceeded both were refused for the side.

    :param parts: each output file's grid and bands.
    :raises ApiError: if a limit is exceeded; with the real service's texts for side and size.
    """
    count = sum(len(bands) for _, bands in parts)
    if count > MOST_BANDS:
        raise invalid_argument(
            f"Number of bands ({count}) must be less than or equal to {MOST_BANDS}."
        )
    for grid, _ in parts:
        size = f"({grid.width}x{grid.height})"
        if max(grid.width, grid.height) > MOST_PIXELS_PER_SIDE:
            raise invalid_argument(
                f"Pixel grid dimensions {size} must be less than or equal to "
                f"{MOST_PIXELS_PER_SIDE}."
            )
        if min(grid.width, grid.height) < 1:
            raise invalid_argument(f"Pixel grid dimensions {size} must be positive.")
    total = sum(
        grid.width * grid.height * sum(pixel_byte_count(band) for band in bands)
        for grid, bands in parts
    )
    if total > MOST_PIXEL_BYTES:
        raise invalid_argument(
            f"Total request size ({total} bytes) must be less than or equal to "
            f"{MOST_PIXEL_BYTES} bytes."
        )


def pixel_byte_count(band: Band) -> int:
    """Return the bytes that one pixel of a band counts for."""
    return band.pixel_type.numpy.itemsize + MASK_BYTES
