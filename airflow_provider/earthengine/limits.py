"""Earth Engine's published limits, with their sources."""

MAX_REQUEST_BYTE_COUNT = 50_331_648
"""48 MiB in one request: width x height x sum over bands of (bytes per sample + 1 mask byte).

Source: https://developers.google.com/earth-engine/reference/rest/v1/projects.image/computePixels
("48MB in uncompressed data"), and the service's own error text, quoted with the figures of a
request that it refused, in https://github.com/google/Xee/issues/50; both read 2025-08.
"""

MASK_BYTES_PER_SAMPLE = 1
"""Earth Engine counts one mask byte per band and pixel. Source: as above, and
https://github.com/google/Xee/pull/210, read 2025-08."""

MAX_GRID_SIDE = 32_768
"""Pixels along one side of one request. Source: as MAX_REQUEST_BYTE_COUNT."""

MAX_BANDS = 1_024
"""Bands in one request. Source: as MAX_REQUEST_BYTE_COUNT."""

MAX_PAYLOAD_BYTE_COUNT = 10_485_760
"""10 MB in the body of one request. Source: the service's own error text, quoted in
https://github.com/gee-community/geemap/issues/1092, read 2025-08."""

MAX_REQUEST_SECONDS = 300
"""Interactive requests are answered within five minutes or not at all.

Source: https://developers.google.com/earth-engine/guides/usage, read 2025-08.
"""

HIGH_VOLUME_ENDPOINT = "https://earthengine-highvolume.googleapis.com"
"""The endpoint meant for many automated requests.

Source: https://developers.google.com/earth-engine/cloud/highvolume, read 2025-08.
"""
