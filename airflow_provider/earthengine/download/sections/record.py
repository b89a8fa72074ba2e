"""What a section leaves in the bucket for the task that puts all together: its record, as JSON.

The record is written last, once all that it names is stored. It is read with suspicion: another
version may have written it, or somebody else.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.download.bucket.objects import OpenUpload
from airflow_provider.earthengine.download.foreign import Foreign, parse_json
from airflow_provider.earthengine.download.raster.section_canvas import SectionFacts
from airflow_provider.earthengine.download.usage import COUNTS, MOST_PROFILES, Usage

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

KIND = "earthengine-section"
FORMAT = 1
"""Raised with each change of what tasks of one group tell each other."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FIGURES = 6
_PIECE_NUMBERS = 8
_RECORD_NUMBERS = 3


@dataclass(frozen=True)
class SentPart:
    """A part, as the store took it.

    :param sha256: hexadecimal.
    """

    number: int
    etag: str
    sha256: str
    byte_count: int

    def completed(self) -> CompletedPartTypeDef:
        """Return the part as the S3 client completes an upload with it."""
        checksum = base64.b64encode(bytes.fromhex(self.sha256)).decode()
        return {"PartNumber": self.number, "ETag": self.etag, "ChecksumSHA256": checksum}


@dataclass(frozen=True)
class StagedOverviews:
    """The object with what a section made of the overviews.

    :param records: of each whole block: its level, its number there, and its length.
    :param pieces: behind them, of incomplete blocks: level, column, row and band of the block; the
        row and column of the first pixel in it; rows and columns.
    """

    sha256: str
    records: tuple[tuple[int, ...], ...]
    pieces: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class RasterSection:
    """What a section made of one raster.

    :param raster: its index.
    :param byte_counts: of its blocks in their order, with what surrounds them.
    """

    raster: int
    upload_id: str
    facts: SectionFacts
    parts: tuple[SentPart, ...]
    byte_counts: tuple[int, ...]
    overviews: StagedOverviews


@dataclass(frozen=True)
class SectionRecord:
    """A finished section.

    :param generation: of the task that wrote it.
    :param usage: what the task spent on it; None if an earlier version wrote it, and did not count.
    """

    plan_id: str
    section: int
    generation: str
    rasters: tuple[RasterSection, ...]
    usage: Usage | None = None

    def is_of(self, plan_id: str, section: int, uploads: Sequence[OpenUpload]) -> bool:
        """Return whether it is the record of this section, with parts of these uploads."""
        ids = [upload.upload_id for upload in uploads]
        are_sent = all(
            each.raster < len(ids) and ids[each.raster] == each.upload_id for each in self.rasters
        )
        return are_sent and (self.plan_id, self.section) == (plan_id, section)

    def to_json(self) -> bytes:
        """Return the record's content."""
        content: dict[str, Any] = {
            "kind": KIND,
            "format": FORMAT,
            "plan_id": self.plan_id,
            "section": self.section,
            "generation": self.generation,
            "rasters": [_raster_to_json(each) for each in self.rasters],
        }
        if self.usage is not None:
            content["usage"] = {**self.usage.to_dict(), "profiles": self.usage.profiles}
        return json.dumps(content, allow_nan=False).encode()


def read_record(content: bytes) -> SectionRecord:
    """Return the record that a section left.

    :raises ForeignValueError: if it is none, or of another format.
    """
    value = parse_json(content, "the record")
    if value.at("kind").text() != KIND or value.at("format").whole() != FORMAT:
        value.at("format").refuse(f"format {FORMAT}")
    return SectionRecord(
        value.at("plan_id").text(),
        value.at("section").whole(0),
        value.at("generation").text(),
        tuple(_read_raster(each) for each in value.at("rasters").items()),
        _read_usage(value.at("usage")),
    )


def _read_usage(value: Foreign) -> Usage | None:
    if value.is_absent:
        return None
    counts = {name: value.at(name).whole(0) for name in COUNTS}
    profiles = value.at("profiles").items()[:MOST_PROFILES]
    return Usage(**counts, profiles=tuple(each.text() for each in profiles))


def _raster_to_json(raster: RasterSection) -> dict[str, Any]:
    facts = raster.facts
    overviews = raster.overviews
    return {
        "raster": raster.raster,
        "upload_id": raster.upload_id,
        "dtype": facts.dtype,
        "crs": facts.crs,
        "nodata": None if facts.nodata is None else _number(facts.nodata),
        "figures": [[_number(number) for number in each] for each in facts.figures],
        "parts": [asdict(part) for part in raster.parts],
        "byte_counts": raster.byte_counts,
        "overviews": {
            "sha256": overviews.sha256,
            "records": _flat(overviews.records),
            "pieces": _flat(overviews.pieces),
        },
    }


def _read_raster(value: Foreign) -> RasterSection:
    crs, nodata = value.at("crs"), value.at("nodata")
    overviews = value.at("overviews")
    return RasterSection(
        raster=value.at("raster").whole(0),
        upload_id=value.at("upload_id").text(),
        facts=SectionFacts(
            value.at("dtype").text(),
            None if crs.is_absent else crs.text(),
            None if nodata.is_absent else nodata.number(),
            tuple(
                tuple(number.number() for number in band.items(_FIGURES))
                for band in value.at("figures").items()
            ),
        ),
        parts=tuple(
            SentPart(
                part.at("number").whole(1),
                part.at("etag").text(),
                _read_digest(part.at("sha256")),
                part.at("byte_count").whole(1),
            )
            for part in value.at("parts").items()
        ),
        byte_counts=tuple(each.whole(1) for each in value.at("byte_counts").items()),
        overviews=StagedOverviews(
            _read_digest(overviews.at("sha256")),
            _rows(overviews.at("records"), _RECORD_NUMBERS),
            _rows(overviews.at("pieces"), _PIECE_NUMBERS),
        ),
    )


def _read_digest(value: Foreign) -> str:
    if not _DIGEST.fullmatch(value.text()):
        value.refuse("a sha256 in hexadecimal")
    return value.text()


def _flat(rows: Sequence[Sequence[int]]) -> list[int]:
    """Return all numbers in one list: a reader bounds how many lists there are."""
    return [number for row in rows for number in row]


def _rows(value: Foreign, width: int) -> tuple[tuple[int, ...], ...]:
    numbers = [each.whole(0) for each in value.items()]
    if len(numbers) % width:
        value.refuse(f"a list of {width} numbers for each")
    return tuple(tuple(numbers[start : start + width]) for start in range(0, len(numbers), width))


def _number(value: float) -> float | str:
    """Return the number, or the text that JSON has for it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
