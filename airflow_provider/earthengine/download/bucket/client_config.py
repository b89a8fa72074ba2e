"""How long the S3 client waits, how often it tries, and what it adds to requests."""

from __future__ import annotations

from botocore.config import Config

# The client retries by itself, and gives up on a store that does not answer after about four
# minutes. The connection's config_kwargs override this.
# It adds and expects no checksum besides our own SHA-256: Cloudflare R2 rejects the CRC32 that the
# client would append to a body. Source: https://github.com/aws/aws-sdk-js-v3/issues/6810, read
# 2026-11.
CLIENT_CONFIG = Config(
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=32,
    retries={"mode": "standard", "total_max_attempts": 4},
)
