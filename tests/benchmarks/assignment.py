"""What one contestant is told: everything that its process needs, as JSON, and nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.scenes import Scene

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Compression:
    """How a file is compressed: GDAL's name, its level, and whether differences are coded."""

    name: str
    level: int
    has_predictor: bool

    def predictor(self, dtype: str) -> int:
        """Return TIFF's number of the predictor: 1 none, 2 for integers, 3 for floats."""
        if not self.has_predictor:
            return 1
        return 3 if dtype.startswith("float") else 2

    def __str__(self) -> str:
        return f"{self.name} {self.level}" + (" + predictor" if self.has_predictor else "")


@dataclass(frozen=True)
class Assignment:
    """One download to be made.

    :param layout: "cog", or "as_served" for what fits one request.
    :param concurrency: the requests to Earth Engine that may be under way.
    :param scratch: an empty folder; also TMPDIR.
    """

    scene: Scene
    layout: str
    earthengine_url: str
    project: str
    s3_url: str
    s3_access_key: str
    s3_secret_key: str
    bucket: str
    prefix: str
    scratch: Path
    concurrency: int
    compression: Compression

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), default=str))

    def s3_client(self) -> S3Client:
        """Return a boto3 client, as everybody makes one."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.s3_url,
            region_name="us-east-1",
            aws_access_key_id=self.s3_access_key,
            aws_secret_access_key=self.s3_secret_key,
            config=Config(
                s3={"addressing_style": "path"}, max_pool_connections=self.concurrency + 4
            ),
        )


def read_assignment(path: Path) -> Assignment:
    """Return what :meth:`Assignment.write` wrote."""
    fields: dict[str, Any] = json.loads(path.read_text())
    return Assignment(
        **fields
        | {
            "scene": Scene(**fields["scene"]),
            "compression": Compression(**fields["compression"]),
            "scratch": Path(fields["scratch"]),
        }
    )


@dataclass(frozen=True)
class Piece:
    """Where the bytes of some pixels are in an object that is no raster as a whole.

    :param key: of the object; ``start`` and ``byte_count`` say which of its bytes.
    :param left: the first column of the pixels, in the scene; ``top`` the first row.
    """

    key: str
    start: int
    byte_count: int
    left: int
    top: int
    width: int
    height: int
