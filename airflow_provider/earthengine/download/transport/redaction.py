"""Text -> the same text without download ids, tokens and signatures."""

from __future__ import annotations

import logging
import re

_SECRETS = re.compile(
    r"(?P<head>(?:thumbnails|videoThumbnails|filmstripThumbnails|tables)/)[\w%.~-]{8,}"
    r"|(?P<bearer>\bBearer\s+)[\w.~+/=-]+"
    r"|(?P<form>\b(?:access_token|accessToken|refresh_token|subject_token|assertion|client_secret|X-Amz-Signature)"
    r"[\"']?\s*[=:]\s*[\"']?)[\w.~+/%=-]+"
)


def scrub(text: str) -> str:
    """Return the text with download ids, bearer tokens and signatures replaced by ``***``."""
    return _SECRETS.sub(
        lambda match: f"{match['head'] or match['bearer'] or match['form']}***", text
    )


class SecretsFilter(logging.Filter):
    """Remove secrets from log records of libraries that print URLs, above all urllib3 at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record, with secrets removed from its text."""
        text = record.getMessage()
        cleaned = scrub(text)
        if cleaned != text:
            record.msg, record.args = cleaned, None
        return True


def install_secrets_filter() -> None:
    """Remove secrets from what urllib3 and googleapiclient log; idempotent."""
    for name in ("urllib3.connectionpool", "googleapiclient.http", "googleapiclient.discovery"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, SecretsFilter) for known in logger.filters):
            logger.addFilter(SecretsFilter())
