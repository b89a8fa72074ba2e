"""The limits of a download: read, and bounded by Earth Engine's own."""

from __future__ import annotations

import pytest

from airflow_provider.earthengine.download.fields.download_limits import read_download_limits
from airflow_provider.earthengine.exceptions import DownloadParamsError

# Source: https://developers.google.com/earth-engine/reference/rest/v1/projects.image/computePixels,
# "48MB in uncompressed data", read 2025-08.
MOST = 48 * 2**20


@pytest.mark.parametrize("written", [1, MOST, str(MOST)])
def test_a_tile_may_have_as_many_bytes_as_a_request(written: object) -> None:
    limits = read_download_limits({"tile_byte_count": written})
    assert limits.tile_byte_count == int(str(written))


@pytest.mark.parametrize("written", [MOST + 1, str(MOST + 1), 10**12])
def test_a_tile_that_no_request_holds_is_refused(written: object) -> None:
    with pytest.raises(DownloadParamsError, match="allows at most 50,331,648 in one request"):
        read_download_limits({"tile_byte_count": written})
