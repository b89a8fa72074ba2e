"""Where the tasks of one download meet in the bucket: the plan's register, and sections' records.

The register is one object that is written conditionally. It names the uploads that all sections
send their parts to; whoever finds it with open uploads joins in, be it a second try, a cleared task
or the next run.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.download.bucket.delete_listed import delete_listed
from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.objects import OpenUpload, Precondition
from airflow_provider.earthengine.download.fields.destination import IfExists
from airflow_provider.earthengine.download.fields.job import Job
from airflow_provider.earthengine.download.fields.values import shown_names
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError, parse_json
from airflow_provider.earthengine.download.plan.plan import Plan
from airflow_provider.earthengine.download.publish.files import COG_MEDIA_TYPE
from airflow_provider.earthengine.download.publish.object_metadata import metadata_of
from airflow_provider.earthengine.download.publish.record import Target
from airflow_provider.earthengine.download.sections.cut import PROBE_PART, SectionPlan
from airflow_provider.earthengine.download.sections.record import (
    FORMAT,
    RasterSection,
    SectionRecord,
    read_record,
)
from airflow_provider.earthengine.download.sections.send import is_gone
from airflow_provider.earthengine.exceptions import (
    SectionsOutdatedError,
    ServiceUnavailableError,
)

log = logging.getLogger(__name__)

_KIND = "earthengine-sections"
_REGISTER = "plan.json"
_DIGEST_LENGTH = 16
_OPENINGS = 3


class SectionFolder:
    """The objects that the tasks of one plan share.

    :param plan_id: of a plan; what belongs to another one is not used.
    """

    def __init__(self, target: Target, staging_prefix: str, plan_id: str) -> None:
        self._target = target
        self._bucket = target.bucket
        self._prefix = f"{_place_of(target, staging_prefix)}{plan_id}/"
        self.plan_id = plan_id

    def read_uploads(self) -> tuple[OpenUpload, ...]:
        """Return the upload of each raster that the register names; none if there is no register
        that can be read.
        """
        return _read_register(self._target, self._register_key)[0]

    def open_uploads(self, suffixes: Sequence[str]) -> tuple[OpenUpload, ...]:
        """Return the uploads of an earlier plan if all are open; otherwise open new ones.

        :param suffixes: of the rasters' keys.
        :raises ServiceUnavailableError: if others keep opening theirs at the same time.
        """
        keys = [self._target.destination.key(suffix) for suffix in suffixes]
        for _ in range(_OPENINGS):
            found, etag = _read_register(self._target, self._register_key)
            if [upload.key for upload in found] == keys and all(map(self._is_open, found)):
                log.info("Continuing the uploads of an earlier plan.")
                return found
            metadata = metadata_of(self._target)
            uploads = tuple(
                self._bucket.create_upload(key, COG_MEDIA_TYPE, metadata) for key in keys
            )
            try:
                self._write_register(uploads, Precondition(etag))
            except (ConditionFailedError, UploadConflictError):
                self._bucket.drop_uploads(uploads)
                continue
            return uploads
        raise ServiceUnavailableError(
            f"Other attempts opened the uploads of {self._target.destination.item_uri} at the same "
            f"time, {_OPENINGS} times; run the task again."
        )

    def _write_register(self, uploads: Sequence[OpenUpload], condition: Precondition) -> None:
        content = {
            "kind": _KIND,
            "format": FORMAT,
            "uploads": [{"key": each.key, "upload_id": each.upload_id} for each in uploads],
        }
        body = json.dumps(content).encode()
        self._bucket.write_object(self._register_key, body, "application/json", condition)

    def _is_open(self, upload: OpenUpload) -> bool:
        content = b"open?"
        try:
            digest = hashlib.sha256(content).digest()
            self._bucket.upload_part(upload, PROBE_PART, content, digest)
        except ServiceUnavailableError as error:
            if is_gone(error):
                return False
            raise
        return True

    def list_records(self) -> Mapping[int, str]:
        """Return the ETag of each section's record."""
        start = f"{self._prefix}section-"
        names = {
            key.removeprefix(start).removesuffix(".json"): listed.etag
            for key, listed in self._bucket.list_objects(start).items()
        }
        return {int(name): etag for name, etag in names.items() if name.isdecimal()}

    def read_record(self, section: int) -> tuple[SectionRecord, str] | None:
        """Return the record of a section and its ETag, or None if it has none.

        :raises ForeignValueError: if it cannot be read.
        """
        read = self._bucket.read_object(self._record_key(section))
        return None if read is None else (read_record(read[0]), read[1])

    def write_record(self, record: SectionRecord, scratch: Path) -> None:
        """Write the record of a section; the last one counts."""
        content = record.to_json()
        path = scratch / "record"
        path.write_bytes(content)
        self._bucket.put_file(
            self._record_key(record.section), path, hashlib.sha256(content).digest()
        )

    def put_overviews(self, section: int, raster: int, path: Path, sha256: str) -> None:
        """Stage what a section made of the overviews of a raster."""
        key = self._overviews_key(section, raster, sha256)
        self._bucket.put_file(key, path, bytes.fromhex(sha256))

    def get_overviews(self, section: int, raster: RasterSection, path: Path) -> bool:
        """Write it to ``path``; return whether it is as its section staged it."""
        sha256 = raster.overviews.sha256
        return self._bucket.get_file(self._overviews_key(section, raster.raster, sha256), path) == (
            sha256
        )

    @property
    def _register_key(self) -> str:
        return f"{self._prefix}{_REGISTER}"

    def _record_key(self, section: int) -> str:
        return f"{self._prefix}section-{section:05}.json"

    def _overviews_key(self, section: int, raster: int, sha256: str) -> str:
        return f"{self._prefix}overviews-{section:05}-{raster}.{sha256}"


def sweep_sections(target: Target, staging_prefix: str) -> None:
    """Remove everything that plans of this download left, and abort their uploads.

    A task that is still at work on a section finds its upload gone, and the download published.
    """
    bucket = target.bucket
    listed = bucket.list_objects(_place_of(target, staging_prefix))
    for key in listed:
        if key.endswith(f"/{_REGISTER}"):
            bucket.drop_uploads(_read_register(target, key)[0])
    delete_listed(bucket, listed)


def _read_register(target: Target, key: str) -> tuple[tuple[OpenUpload, ...], str | None]:
    """Return the uploads that a register names, and its ETag."""
    read = target.bucket.read_object(key)
    if read is None:
        return (), None
    content, etag = read
    try:
        value = parse_json(content, "the register")
        if value.at("kind").text() != _KIND or value.at("format").whole() != FORMAT:
            return (), etag
        return tuple(_read_upload(target, each) for each in value.at("uploads").items()), etag
    except ForeignValueError:
        return (), etag


def _read_upload(target: Target, value: Foreign) -> OpenUpload:
    key = value.at("key")
    if not target.destination.holds(key.text()):
        # Whoever wrote this, no upload of another download is touched.
        key.refuse("a key of the download")
    return OpenUpload(key.text(), value.at("upload_id").text(), ())


def plan_id_of(job: Job, plan: Plan, sections: SectionPlan) -> str:
    """Return what is the same only for the same sections of the same pixels.

    A source without a version, such as a computed image, may give other pixels in the next run, so
    that only one run shares its sections.
    """
    version = plan.info.version
    return _digest(
        [
            FORMAT,
            job.identity.fingerprint,
            version if version is not None else job.identity.generation,
            job.compression,
            sorted((key, str(each)) for key, each in job.extra_args.items()),
            plan.download.params.file_format,
            [str(group) for group in plan.download.groups],
            [str(section) for section in sections.sections],
            sections.head_part_counts,
        ]
    )


def outdated(what: str) -> SectionsOutdatedError:
    """Return the error for sections that cannot be put together.

    :param what: the sentence's beginning: what is the matter.
    """
    return SectionsOutdatedError(
        f"{what}; clear the group's task plan with its downstream tasks, which fetches what is "
        "missing."
    )


def unusable(sections: Sequence[int], what: str) -> SectionsOutdatedError:
    """Return the error for sections that have to be fetched again, and no others.

    :param what: the sentence's beginning: what is the matter.
    """
    indexes = shown_names([str(each) for each in sections])
    return SectionsOutdatedError(
        f"{what}; clear the group's task fetch of map index {indexes} with its downstream tasks.",
        sections=list(sections),
    )


def _place_of(target: Target, staging_prefix: str) -> str:
    """Return the folder of all plans of a download; of one run if each run makes its own."""
    identity = target.identity
    fingerprint = identity.fingerprint.rpartition(":")[2]
    own = identity.generation if identity.if_exists is IfExists.REPLACE else None
    place = _digest([target.destination.item_key, own])
    return f"{staging_prefix}/sections/{fingerprint}/{place}/"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:_DIGEST_LENGTH]
