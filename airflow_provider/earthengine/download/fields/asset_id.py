"""The ids of Earth Engine's assets, in the forms that its client takes."""

from __future__ import annotations

import re
from typing import Any

# Projects of old Google Workspace domains are written ``example.com:project``. Source:
# https://github.com/google/earthengine-api, ``python/ee/_cloud_api_utils.py``,
# ``ASSET_NAME_PATTERN``, release 1.7.50. The last part of an id becomes part of object names.
_PART = r"(?!\.+(?:/|$))[\w.+-]+"
_DOMAIN_PROJECT = rf"projects/\w[\w.-]*\.\w+:[\w-]+/{_PART}"
_ASSET_ID = re.compile(rf"(?:{_DOMAIN_PROJECT}|{_PART})(?:/{_PART})*")


def find_asset_id(value: Any) -> str | None:
    """Return the id that a field holds, without blanks around it; None where it holds none."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    return text if _ASSET_ID.fullmatch(text) else None
