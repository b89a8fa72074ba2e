"""What it takes to fetch the pixels of an image: the client, the limits, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from airflow_provider.earthengine.download.client import EarthEngineClient
from airflow_provider.earthengine.download.fields.download_limits import DownloadLimits
from airflow_provider.earthengine.download.plan.tiles import Tile
from airflow_provider.earthengine.download.transport.connections import Cancellation
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.download.usage import Meter


class TileStage(Protocol):
    """Verified tiles that an earlier attempt kept, and that this one keeps for the next."""

    def take(self, tile: Tile, path: Path) -> bool:
        """Write the kept body to ``path``; return whether there was one."""

    def keep(self, tile: Tile, path: Path, seconds: float) -> None:
        """Keep a verified body."""


def _tell_nobody(_: Mapping[str, Any]) -> None:
    pass


@dataclass(frozen=True)
class Fetching:
    """What is needed to fetch the pixels of one image.

    :param client: tries each request once; ``policy`` decides about retries.
    :param image: an ``ee.Image``, already masked where needed; see :func:`clip_to_region`.
    :param what: its name in logs and errors.
    :param scratch: the directory for bodies that are being processed.
    :param meter: counts requests for pixels; the client counts its own.
    :param report: called every few seconds with the progress, as plain values.
    """

    client: EarthEngineClient
    image: Any
    what: str
    scratch: Path
    limits: DownloadLimits
    policy: RetryPolicy
    cancellation: Cancellation
    stage: TileStage | None = None
    meter: Meter = field(default_factory=Meter)
    report: Callable[[Mapping[str, Any]], None] = _tell_nobody
