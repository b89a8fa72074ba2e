"""Files that are written once and kept, for those who measure a client and not the emulator.

The real service computes on other machines. Here, deflating noise takes more of the processor than
any client does; a file that was asked for before takes next to none.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def request_digest(fields: Mapping[str, Any], name: str) -> str:
    """Returns what tells a request for pixels from all others of the same catalogue.

    :param fields: of its body.
    :param name: of the asset whose pixels they are, where no expression says it; else empty.
    """
    text = json.dumps([name, fields], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class KeptFiles:
    """The files of a folder; safe to use from any thread.

    They hold for one catalogue that nobody changes: what an asset was is answered for ever.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, key: str, write: Callable[[], bytes]) -> bytes:
        """Returns a file, written if nobody asked for it before."""
        path = self._folder / key
        try:
            return path.read_bytes()
        except FileNotFoundError:
            content = write()
        part = path.with_name(f"{key}.{secrets.token_hex(4)}.part")
        part.write_bytes(content)
        part.replace(path)
        return content
