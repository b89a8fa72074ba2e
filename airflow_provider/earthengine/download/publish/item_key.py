"""One attempt at an item's key, which it claims, writes and gives back by compare-and-swap only."""

from __future__ import annotations

import logging
import time

from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.objects import Precondition
from airflow_provider.earthengine.download.publish.check_item import (
    ITEM_MEDIA_TYPE,
    MAX_ITEM_BYTE_COUNT,
)
from airflow_provider.earthengine.download.publish.claim import (
    CLAIM_MEDIA_TYPE,
    Claim,
    make_claim,
    new_id,
)
from airflow_provider.earthengine.download.publish.open_uploads import OpenUploads
from airflow_provider.earthengine.download.publish.record import (
    CommitRecord,
    Target,
    missing_objects,
    parse_record,
)
from airflow_provider.earthengine.download.publish.standing import (
    Register,
    check_no_rival_wrote,
    is_owned,
    read_register,
)
from airflow_provider.earthengine.exceptions import (
    EarthEngineProviderError,
    ObjectExistsError,
    ServiceUnavailableError,
)

log = logging.getLogger(__name__)

_SWAPS = 3
# Between a claim and its item there is one request per object, and usually no upload.
_WAIT_SECONDS = 0.5
_WAITS = 60


class ItemKey:
    """The item's key, as one attempt changes it.

    :param uploads: the attempt's; each of its claims names those that are open.
    """

    def __init__(self, target: Target, uploads: OpenUploads) -> None:
        self._target = target
        self._bucket = target.bucket
        self._key = target.destination.item_key
        self._uploads = uploads
        self._id = new_id()
        self._decided: str | None = None
        self._held = Register()
        self.has_tried = self._has_claimed = False
        """Whether this attempt may have claimed the key, even if the answer was lost."""

    @property
    def is_claimed(self) -> bool:
        """Whether this attempt has claimed the key: only then may it overwrite objects."""
        return self._held.claim is not None

    def claim(self, register: Register) -> CommitRecord | None:
        """Replace what the key held by a claim; return the item of an attempt that was first.

        An attempt completes only uploads that its claim names. They are aborted before another
        claim takes its place, so an attempt that has lost its claim can change nothing.

        :param register: what the key held when this was decided.
        :raises ObjectExistsError: if another download has been published since.
        :raises ServiceUnavailableError: if another download is being published.
        """
        self._decided = self._decided or register.etag
        for _ in range(_SWAPS):
            if self._put_claim(register):
                return None
            seen = self._look_again()
            if isinstance(seen, CommitRecord):
                return seen
            register = seen
        raise ServiceUnavailableError(
            f"{self._target.destination.item_uri} was changed by other attempts {_SWAPS} times; "
            "run the task again."
        )

    def renew(self) -> CommitRecord | None:
        """Claim again, with the uploads that are open now; required before one is completed."""
        return self.claim(self._held)

    def write_item(self, content: bytes) -> CommitRecord | None:
        """Write the item and return its record, or the record of an attempt that was first.

        Returns None if it has to be written again; the key may be claimed by then.
        """
        try:
            etag = self._bucket.write_object(
                self._key, content, ITEM_MEDIA_TYPE, Precondition(self._held.etag)
            )
        except (ConditionFailedError, UploadConflictError):
            seen = self._look_again()
        else:
            self._held = Register()
            return parse_record(self._target.destination, content, etag)
        if isinstance(seen, CommitRecord):
            return seen
        # If there is nothing, it can be written as before. If there is an item of this download
        # that is not true, or a claim that was left behind, it has to be claimed first.
        return None if seen.etag is None else self.claim(seen)

    def give_back(self) -> None:
        """Restore the item that was there, if everything that it names still exists unchanged.

        Only for an attempt that has no open upload any more.
        """
        if not self.has_tried:
            return
        destination = self._target.destination
        try:
            # The answer to a claim may have been lost.
            found = read_register(self._target)
            if found.claim is None or not self._is_own(found.claim) or found.item is None:
                return
            record = parse_record(destination, found.item, "")
            if missing_objects(record, self._bucket.list_objects(destination.listing_prefix)):
                return
            condition = Precondition(found.etag)
            self._bucket.write_object(self._key, found.item, ITEM_MEDIA_TYPE, condition)
            log.info("Restored %s; none of its objects has changed.", destination.item_uri)
        except (ConditionFailedError, UploadConflictError, EarthEngineProviderError) as error:
            reason = str(error) or type(error).__name__
            log.warning("Could not restore %s: %s", destination.item_uri, reason)

    def _put_claim(self, register: Register) -> bool:
        if register.claim and not self._is_own(register.claim):
            # Those that this claim names, too, are shared by both attempts.
            for key, upload_id in register.claim.uploads:
                if (key, upload_id) not in self._uploads.ids:
                    self._bucket.abort_upload(key, upload_id)
        item = register.item
        if item is not None and len(item) > MAX_ITEM_BYTE_COUNT:
            item = None
        claim = make_claim(self._target, self._id, self._uploads.ids, item)
        self.has_tried = True
        try:
            etag = self._bucket.write_object(
                self._key, claim.to_json(), CLAIM_MEDIA_TYPE, Precondition(register.etag)
            )
        except (ConditionFailedError, UploadConflictError):
            return False
        self._held = Register(etag, claim=claim, item=item)
        self._has_claimed = True
        return True

    def _look_again(self) -> CommitRecord | Register:
        """Return the true item of another attempt at this download, or what the key holds now.

        :raises ObjectExistsError: if it holds the item of another download.
        :raises ServiceUnavailableError: if it holds the claim of another attempt.
        """
        self._held = Register()
        register = read_register(self._target)
        if self._is_of_sibling(register.claim):
            register = self._wait_for(register)
        if not is_owned(self._target, register):
            self._refuse(register)
        elif register.record:
            listed = self._bucket.list_objects(self._target.destination.listing_prefix)
            return register if missing_objects(register.record, listed) else register.record
        # Otherwise, two attempts at one download could take the key from each other without end.
        if self._has_claimed and self._is_of_sibling(register.claim):
            raise self._claimed_by_another()
        return register

    def _refuse(self, register: Register) -> None:
        """Raise for what another download has written there meanwhile."""
        # The item to replace may be back, if another attempt has given back the key.
        if register.etag is None or register.etag == self._decided:
            return
        check_no_rival_wrote(self._target, register)
        if register.claim:
            raise self._claimed_by_another()
        raise ObjectExistsError(
            f"{self._target.destination.item_uri} was written by another download while this one "
            "was being published; use another name or s3_prefix for one of them."
        )

    def _wait_for(self, register: Register) -> Register:
        """Return what replaces another attempt's claim; the claim itself if nothing does."""
        log.info(
            "Another attempt is publishing %s; waiting for it.", self._target.destination.item_uri
        )
        for _ in range(_WAITS):
            time.sleep(_WAIT_SECONDS)
            now = read_register(self._target)
            if now.etag != register.etag:
                return now
        return register

    def _is_own(self, claim: Claim) -> bool:
        return claim.claim_id == self._id

    def _is_of_sibling(self, claim: Claim | None) -> bool:
        """Return whether it is the claim of another attempt at the same download."""
        if claim is None or self._is_own(claim):
            return False
        return self._target.identity.owns(claim.writer.fingerprint, claim.writer.generation)

    def _claimed_by_another(self) -> ServiceUnavailableError:
        return ServiceUnavailableError(
            f"{self._target.destination.item_uri} was claimed by another attempt while this one "
            "was publishing; run the task again."
        )
