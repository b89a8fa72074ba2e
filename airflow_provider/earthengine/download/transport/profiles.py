"""How Earth Engine is asked for the profile of a computation, and what it answers.

A profile says what a computation spent its time and memory on; Earth Engine keeps it, and sends its
id. Source: https://github.com/google/earthengine-api, ``python/ee/data.py``,
``_PROFILE_REQUEST_HEADER`` and ``_PROFILE_RESPONSE_HEADER_LOWERCASE``, release 1.7.50.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ASKING = {"X-Earth-Engine-Computation-Profiling": "1"}
"""The headers of a request that asks."""

_ANSWER = "x-earth-engine-computation-profile"
# What an id looks like is not documented. It goes into records and logs.
_ID = re.compile(r"[!-~]{1,200}", re.ASCII)


def read_profiles(headers: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the profile id of an answer; nothing if there is none, or no text of such an id.

    :param headers: of the answer, of any case if the mapping knows no difference.
    """
    profile = headers.get(_ANSWER)
    return (profile,) if isinstance(profile, str) and _ID.fullmatch(profile) else ()
