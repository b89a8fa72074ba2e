"""Profiles: a request that asks for the profile of its computation is answered with an id.

There are only ids here; what a profile says cannot be had from the emulator.
Source: https://github.com/google/earthengine-api, ``python/ee/data.py``, ``profiling``, release
1.7.50.
"""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response

from airflow_provider.earthengine.emulator.replies import unsupported

_ASKING = "X-Earth-Engine-Computation-Profiling"
_PROFILE = "X-Earth-Engine-Computation-Profile"
_COMPUTING = frozenset(
    {"value:compute", "image:computePixels", "assets.getPixels", "thumbnails.getPixels"}
)


def check_profiling(request: Request) -> None:
    """Raise if the header has another value than the official client sends.

    :raises ApiError: if it has.
    """
    value = request.headers.get(_ASKING)
    if value not in (None, "1"):
        raise unsupported(f"the value {value[:40]!r} of the header {_ASKING}")


def add_profile(operation: str, request: Request, response: Response) -> None:
    """Add the id of a profile to an answer, if something was computed and one was asked for."""
    if _ASKING in request.headers and operation in _COMPUTING:
        request.state.profile = secrets.token_hex(16)
        response.headers[_PROFILE] = request.state.profile
