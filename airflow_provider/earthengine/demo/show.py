"""``python -m airflow_provider.earthengine.demo``: the servers, one download, and what it left."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.demo.picture import draw_picture
from airflow_provider.earthengine.demo.servers import BUCKET, Ports, Servers, running_servers
from airflow_provider.earthengine.download.fields.job import DownloadFields
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.hooks.s3 import open_client
from airflow_provider.earthengine.task.standalone import Connections, download_alone

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.publish.record import CommitRecord

COLLECTION = "COPERNICUS/S2_SR_HARMONIZED"
REGION = [-122.1159, 37.0236, -122.0326, 37.0886]
_CLEAR_PERCENT = 20


@dataclass(frozen=True)
class DemoOptions:
    """How the demo runs.

    :param folder: gets the picture, the item and the exports; made if it does not exist.
    :param stays: whether the servers run until a signal arrives.
    """

    folder: Path = Path("earthengine-demo")
    ports: Ports = field(default_factory=Ports)
    stays: bool = True


def show_demo(options: DemoOptions, data_folder: Path) -> None:
    """Run the demo until it has shown everything, or until a signal arrives.

    :param data_folder: for the S3 server.
    """
    _tell("Starting an Earth Engine emulator and an S3 server ...")
    with running_servers(options.ports, data_folder) as servers:
        os.environ.update(servers.variables)
        exports = options.folder / "connections.sh"
        exports.write_text(servers.exports)
        _tell(f"\n{servers.exports}\n(the same lines: . {exports})\n")
        record = download_newest_scene()
        picture = options.folder / "scene.png"
        draw_picture(record.uris[0], picture)
        item = options.folder / "scene.tif.json"
        item.write_bytes(_read(record.item_uri))
        _tell_result(servers, record, picture, item)
        if options.stays:
            _tell("\nThe servers run until Ctrl-C.")
            signal.pause()


def download_newest_scene() -> CommitRecord:
    """Download the newest clear image in true colour, and return the record."""
    import ee

    start = (datetime.now(UTC) - timedelta(days=60)).date().isoformat()
    with EarthEngineHook() as hook:
        hook.get_conn()
        images = (
            ee.ImageCollection(COLLECTION)
            .filterDate(start, "2100-01-01")
            .filter(ee.Filter.lt("CLOUDY_PIXEL_PERCENTAGE", _CLEAR_PERCENT))
            .sort("system:time_start", False)
        )
        image_id: Any = hook.compute_value(images.first().get("system:id"))
    params = {
        "name": "scene",
        "bands": ["B4", "B3", "B2"],
        "region": REGION,
        "scale": 10,
        "format": "GEO_TIFF",
    }
    fields = DownloadFields(image_id, params, BUCKET, "demo")
    record, _ = download_alone(fields, Connections())
    return record


def _read(uri: str) -> bytes:
    client = open_client("aws_default")
    key = uri.removeprefix(f"s3://{BUCKET}/")
    body: bytes = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


def _tell_result(servers: Servers, record: CommitRecord, picture: Path, item: Path) -> None:
    _tell("One download was made, verified and published:\n")
    for uri in (*record.uris, record.item_uri):
        _tell(f"  {uri}")
    _tell(f"\nIts picture   {picture.resolve()}")
    _tell(f"Its item      {item.resolve()}")
    _tell(f"Emulator      {servers.emulator_url}")
    _tell(f"S3            {servers.s3_url}   bucket {BUCKET}")


def _tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the command's output
