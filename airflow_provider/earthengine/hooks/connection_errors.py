"""Errors about a connection: one sentence that names it. Never quotes a key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NoReturn

from airflow_provider.earthengine.exceptions import ConnectionConfigError, raise_alone


def refuse(conn_id: str, problem: str) -> NoReturn:
    """Raise ConnectionConfigError, without the error being handled, which may quote a key.

    :param problem: follows "Connection 'x': ", and says what to do.
    """
    # Not "from None" alone: the error of a JSON text keeps that text, and stays the context.
    raise_alone(ConnectionConfigError(f"Connection {conn_id!r}: {problem}.", conn_id=conn_id))


def nearest_of(name: str, known: Iterable[str]) -> str:
    """Return a hint at the intended name: the nearest known one, or all of them."""
    names = list(known)
    nearest = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return f"the nearest known one is {nearest[0]!r}" if nearest else f"known: {', '.join(names)}"
