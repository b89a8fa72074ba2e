"""What exists at a destination: what the item's key holds, and which objects there are.

The item's key is a register that changes by compare-and-swap only. It holds nothing, an item, or
the claim of an attempt that replaces a download; once it holds something, it is never empty again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider.earthengine.download.bucket.objects import ListedObject
from airflow_provider.earthengine.download.fields.destination import IfExists
from airflow_provider.earthengine.download.fields.values import shown_names
from airflow_provider.earthengine.download.foreign import ForeignValueError, parse_json
from airflow_provider.earthengine.download.publish.claim import Claim, is_claim, read_claim
from airflow_provider.earthengine.download.publish.record import (
    CommitRecord,
    Target,
    missing_objects,
    not_ours,
    read_item,
)
from airflow_provider.earthengine.download.publish.writers import (
    Writer,
    check_no_rival,
    check_no_rival_at_work,
)
from airflow_provider.earthengine.exceptions import ObjectExistsError
from airflow_provider.earthengine.one_line import one_line

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Register:
    """What an item's key holds: nothing, an item, or a claim.

    :param etag: of either; None if there is nothing.
    :param item: the content of the item; if there is a claim, that of the item before it.
    """

    etag: str | None = None
    record: CommitRecord | None = None
    claim: Claim | None = None
    item: bytes | None = None

    @property
    def writer(self) -> Writer | None:
        """Who wrote the item or the claim."""
        if self.claim:
            return self.claim.writer
        return self.record.writer if self.record else None


@dataclass(frozen=True)
class Standing:
    """What exists at the destination before anything is fetched.

    :param done: the record to return if there is nothing to do.
    :param register: what the item's key holds; what follows is decided on it.
    :param listed: every object whose key starts like the download's keys.
    """

    done: CommitRecord | None
    register: Register
    listed: Mapping[str, ListedObject]

    @property
    def previous(self) -> CommitRecord | None:
        """The record to replace, if there is one."""
        return None if self.done else self.register.record


def read_register(target: Target) -> Register:
    """Return what the destination's item key holds.

    :raises ObjectExistsError: if it holds something that this package did not write.
    """
    destination = target.destination
    read = target.bucket.read_object(destination.item_key)
    if read is None:
        return Register()
    content, etag = read
    try:
        value = parse_json(content, "the item")
        if is_claim(value):
            claim = read_claim(destination, value)
            return Register(etag, claim=claim, item=claim.previous)
        return Register(etag, read_item(destination, value, etag), item=content)
    except ForeignValueError:
        raise not_ours(destination) from None


def look_at_destination(target: Target) -> Standing:
    """Return what exists at the destination, with one read and one listing.

    :raises ObjectExistsError: if it holds another download that must not be replaced, or one that
        another task of this run published or is publishing.
    """
    register = read_register(target)
    listed = target.bucket.list_objects(target.destination.listing_prefix)
    record = register.record
    if register.claim:
        log.warning(
            "%s has been claimed since %s by %s, which is still replacing it or has died.",
            target.destination.item_uri, one_line(register.claim.claimed_at), register.claim.writer,
        )  # fmt: skip
    if not is_owned(target, register):
        _check_may_replace(target, register)
        return Standing(None, register, listed)
    if record is None:
        return Standing(None, register, listed)
    if missing := missing_objects(record, listed):
        log.warning(
            "%s names objects that are missing or changed: %s; publishing again.",
            record.item_uri,
            shown_names([ascii(key)[1:-1] for key in missing]),
        )
        return Standing(None, register, listed)
    return Standing(record, register, listed)


def is_owned(target: Target, register: Register) -> bool:
    """Return whether an attempt at the target's download wrote the item or the claim."""
    writer = register.writer
    return writer is not None and target.identity.owns(writer.fingerprint, writer.generation)


def check_no_rival_wrote(target: Target, register: Register) -> None:
    """Raise if another task of this run wrote the item or the claim.

    :raises ObjectExistsError: if it did.
    """
    item_uri = target.destination.item_uri
    if register.record:
        check_no_rival(item_uri, register.record.writer, target.identity)
    if register.claim:
        check_no_rival_at_work(item_uri, register.claim.writer, target.identity)


def _check_may_replace(target: Target, register: Register) -> None:
    check_no_rival_wrote(target, register)
    if register.etag and target.identity.if_exists is IfExists.FAIL:
        verb = "records" if register.record else "is claimed by"
        raise ObjectExistsError(
            f"{target.destination.item_uri} {verb} another download, but if_exists is 'fail'; use "
            "another name or s3_prefix, or if_exists='replace_changed'."
        )
