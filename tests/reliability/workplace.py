"""One download between an emulator and an S3 server behind a proxy, and what it leaves behind."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from airflow.providers.common.compat.sdk import AirflowFailException
from rasterio.io import MemoryFile

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import EarthEngineProviderError
from airflow_provider.earthengine.hooks.session import SESSION
from airflow_provider.earthengine.transfers import earthengine_to_s3
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from tests.reliability.s3_proxy import S3Proxy
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID, sentinel2_values

FORMATS = ("GEO_TIFF", "ZIPPED_GEO_TIFF_PER_BAND", "NPY")
BANDS = ("B3", "B4")
WIDTH, HEIGHT = 30, 20
WINDOW = {
    "bands": list(BANDS),
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 499980, 0, -10, 4200000],
    "dimensions": [WIDTH, HEIGHT],
    "name": "scene",
}
STORED = "stored"
GRACE_SECONDS = 2.0
# Threads of the servers, which run in the test's process.
_SERVERS = ("earth-engine-emulator", "AnyIO worker thread", "s3-proxy", "asyncio_")


@dataclass(frozen=True)
class Traces:
    """What a process holds: open sockets and threads."""

    sockets: int
    threads: int

    @classmethod
    def now(cls) -> Traces:
        links = []
        for path in Path("/proc/self/fd").iterdir():
            try:
                links.append(str(path.readlink()))
            except FileNotFoundError:  # The listing's own.
                continue
        sockets = sum(link.startswith("socket:") for link in links)
        threads = [each for each in threading.enumerate() if not each.name.startswith(_SERVERS)]
        return cls(sockets, len(threads))

    def allows(self, other: Traces) -> bool:
        return other.sockets <= self.sockets and other.threads <= self.threads


@dataclass(frozen=True)
class Workplace:
    """Where a download of two bands and 30 x 20 pixels is made.

    :param client: of the S3 server itself, not through the proxy.
    :param scratch: the folder for scratch files.
    """

    emulator: Emulator
    proxy: S3Proxy
    client: Any
    bucket: str
    scratch: Path

    def attempt(self, file_format: str, **changes: Any) -> str:
        """Return "stored", or the name of the class of error that the download ended with."""
        fields: dict[str, Any] = {
            "image": SENTINEL2_ID, "s3_bucket": self.bucket, "s3_prefix": "a", "quicklook": False
        }  # fmt: skip
        params = {**WINDOW, "format": file_format, **changes.pop("download_params", {})}
        operator = EarthEngineToS3Operator(
            task_id="download", download_params=params, **{**fields, **changes}
        )
        try:
            operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
        except AirflowFailException as error:
            return type(error.__cause__).__name__
        except EarthEngineProviderError as error:
            return type(error).__name__
        return STORED

    def objects(self) -> dict[str, bytes]:
        """Return everything that is in the bucket, by key."""
        client = self.client
        listed = client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {
            each["Key"]: client.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].read()
            for each in listed
        }

    def put_older_download(self, file_format: str) -> None:
        """Put an older download, of other pixels, where the new one goes.

        If each band has a file, it has one more.
        """
        older: dict[str, Any] = {"crs_transform": [10, 0, 500080, 0, -10, 4200000]}
        if file_format == "ZIPPED_GEO_TIFF_PER_BAND":
            older["bands"] = ["B3", "B4", "B8"]
        assert self.attempt(file_format, download_params=older) == STORED
        # A busy machine may be late with an answer, and the client then opens another one.
        self.abort_uploads()

    def has_older_item(self, file_format: str) -> bool:
        """Return whether the older download's item is there."""
        item = self.objects().get(f"a/scene.{ITEM_SUFFIXES[file_format]}.json")
        return item is not None and "assets" in json.loads(item) and b"500080" in item

    def has_item_of_now(self, file_format: str) -> bool:
        """Return whether the item is there, and is not the older download's."""
        item = self.objects().get(f"a/scene.{ITEM_SUFFIXES[file_format]}.json")
        return item is not None and b"500080" not in item

    def empty(self) -> None:
        """Remove what an earlier test left in the bucket."""
        client = self.client
        for key in self.objects():
            client.delete_object(Bucket=self.bucket, Key=key)
        self.abort_uploads()

    def abort_uploads(self) -> None:
        """Abort every upload that is open."""
        client = self.client
        for each in client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []):
            client.abort_multipart_upload(
                Bucket=self.bucket, Key=each["Key"], UploadId=each["UploadId"]
            )

    def open_upload_count(self) -> int:
        listed = self.client.list_multipart_uploads(Bucket=self.bucket)
        return len(listed.get("Uploads", []))

    def begin(self, *, keep_session: bool = False) -> Traces:
        """Forget what was asked, and return what the process holds.

        :param keep_session: open a session of Earth Engine rather than close it.
        """
        if keep_session:
            earthengine_to_s3.EarthEngineHook().compute_value(1)  # type: ignore[attr-defined,arg-type]  # the impatient one; a number is a value
        else:
            SESSION.close()
        self.emulator.clear_requests()
        self.proxy.counts.clear()
        return Traces.now()

    def assert_nothing_is_left(self, before: Traces, *, keep_session: bool = False) -> None:
        """Scratch is empty at once, sockets and threads are gone after a moment."""
        assert list(self.scratch.glob("earthengine-*")) == []
        if not keep_session:
            SESSION.close()
        deadline = time.monotonic() + GRACE_SECONDS
        while not before.allows(now := Traces.now()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert before.allows(now), (before, now, [each.name for each in threading.enumerate()])


def assert_item_is_true(objects: Mapping[str, bytes]) -> None:
    """Where there is an item, all that it names is there, and as it says."""
    for item in (content for key, content in objects.items() if key.endswith(".json")):
        for asset in json.loads(item)["assets"].values():
            content = objects[asset["href"].split("/", 3)[3]]
            assert asset["file:checksum"] == f"1220{hashlib.sha256(content).hexdigest()}"
            assert asset["file:size"] == len(content)


def assert_right_bytes(objects: Mapping[str, bytes], file_format: str) -> None:
    """The bucket holds the item and, pixel for pixel, what the formula says."""
    contents = dict(objects)
    assert contents.pop(f"a/scene.{ITEM_SUFFIXES[file_format]}.json")
    bands = READERS[file_format](contents)
    assert list(bands) == list(BANDS)
    for band, values in bands.items():
        np.testing.assert_array_equal(values, sentinel2_values(band, 0, 0, WIDTH, HEIGHT))


def _read_geotiff(contents: Mapping[str, bytes]) -> dict[str, Any]:
    assert list(contents) == ["a/scene.tif"]
    with MemoryFile(contents["a/scene.tif"]) as memory, memory.open() as dataset:
        assert list(dataset.transform)[:6] == WINDOW["crs_transform"]
        return dict(zip(BANDS, dataset.read(), strict=True))


def _read_per_band(contents: Mapping[str, bytes]) -> dict[str, Any]:
    bands = {}
    for band in BANDS:
        with MemoryFile(contents[f"a/scene.{band}.tif"]) as memory, memory.open() as dataset:
            bands[band] = dataset.read(1)
    assert len(contents) == len(BANDS)
    return bands


def _read_npy(contents: Mapping[str, bytes]) -> dict[str, Any]:
    assert list(contents) == ["a/scene.npy"]
    array = np.load(io.BytesIO(contents["a/scene.npy"]), allow_pickle=False)
    return {band: array[band] for band in array.dtype.names}


ITEM_SUFFIXES = {"GEO_TIFF": "tif", "ZIPPED_GEO_TIFF_PER_BAND": "bands", "NPY": "npy"}
READERS: dict[str, Callable[[Mapping[str, bytes]], dict[str, Any]]] = {
    "GEO_TIFF": _read_geotiff,
    "ZIPPED_GEO_TIFF_PER_BAND": _read_per_band,
    "NPY": _read_npy,
}
