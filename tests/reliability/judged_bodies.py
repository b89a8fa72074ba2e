"""What becomes of a body, in a process that may not take more memory or time than it was given."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import rasterio.warp  # noqa: F401  # warm, before the limit

from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo
from airflow_provider.earthengine.download.plan.requests import Download, plan_download
from airflow_provider.earthengine.download.raster.integrity import check_body
from airflow_provider.earthengine.download.raster.verify import verify_body
from airflow_provider.earthengine.exceptions import EarthEngineProviderError
from tests.reliability.hostile_bodies import BANDS, HEIGHT, TRANSFORM, WIDTH, Body

MEMORY_BYTE_COUNT = 256 << 20
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Verdict:
    """What came of one body.

    :param error: the class of the error; "" if it was accepted; None if the process died.
    """

    name: str
    error: str | None
    text: str = ""
    seconds: float = 0.0
    is_documented: bool = True


def planned(file_format: str) -> Download:
    """Return the download that all bodies pretend to be the answer of."""
    grid = PixelGrid("EPSG:32610", TRANSFORM, WIDTH, HEIGHT)
    image = ImageInfo(tuple(BandInfo(name, "uint16", grid) for name in BANDS), {})
    params = read_params({"format": file_format, "dimensions": [WIDTH, HEIGHT]})
    return plan_download(image, params, "as_served")


def judge_bodies(bodies: Sequence[Body], place: Path) -> list[Verdict]:
    """Return one verdict a body; the bodies are read below ``place``."""
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_judge_all, args=(sender, list(bodies), place), daemon=True)
    process.start()
    sender.close()
    verdicts: list[Verdict] = []
    while len(verdicts) < len(bodies):
        try:
            verdicts.append(receiver.recv())
        except EOFError:
            process.join()
            body = bodies[len(verdicts)]
            verdicts.append(Verdict(body.name, None, f"the process ended: {process.exitcode}"))
            break
    process.join()
    receiver.close()
    return verdicts


def _judge_all(sender: Connection, bodies: list[Body], place: Path) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTE_COUNT,) * 2)
    for number, body in enumerate(bodies):
        folder = place / str(number)
        folder.mkdir()
        sender.send(_judge(body, folder))


def _judge(body: Body, folder: Path) -> Verdict:
    download = planned(body.file_format)
    path = folder / "body"
    path.write_bytes(body.content)
    error, text, is_documented = "", "", True
    started = time.process_time()
    try:
        check_body(path, body.file_format, download.max_body_byte_count)
        verify_body(path, download, folder)
    except Exception as caught:  # noqa: BLE001 - which it is, is the question
        error, text = type(caught).__name__, str(caught)
        is_documented = isinstance(caught, EarthEngineProviderError)
    return Verdict(body.name, error, text, time.process_time() - started, is_documented)
