"""Files that are written once and kept, for measuring a client rather than the emulator.

The real service computes on other machines. Here, deflating noise takes more CPU time than any
client does; a kept file takes almost none.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def request_digest(fields: Mapping[str, Any], name: str) -> str:
    """Return a digest that identifies a request for pixels among all requests of one catalog.

    :param fields: of its body.
    :param name: of the asset, if no expression names it; else empty.
    """
    text = json.dumps([name, fields], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class KeptFiles:
    """The files of a folder; safe to use from any thread.

    They are valid only for a catalog that never changes, because answers are kept forever.

    :raises OSError: if files cannot be written there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with tempfile.TemporaryFile(dir=folder):
            pass

    def take(self, key: str, write: Callable[[], bytes]) -> bytes:
        """Return a file; write it on the first request."""
        path = self._folder / key
        try:
            return path.read_bytes()
        except FileNotFoundError:
            content = write()
        part = path.with_name(f"{key}.{secrets.token_hex(4)}.part")
        part.write_bytes(content)
        part.replace(path)
        return content
