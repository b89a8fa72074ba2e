"""A collection's document in the bucket: read, and changed by whoever comes with one more item.

Many tasks add their items at once, so each change is a compare-and-swap: it is made to what was
read, and written if that is still there. A document that this package did not write is left alone.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.objects import Precondition
from airflow_provider.earthengine.download.collection.document import (
    COLLECTION_MEDIA_TYPE,
    encode_document,
    parse_document,
)
from airflow_provider.earthengine.download.fields.collection import collection_key
from airflow_provider.earthengine.download.foreign import ForeignValueError
from airflow_provider.earthengine.exceptions import ObjectExistsError, ServiceUnavailableError

log = logging.getLogger(__name__)

Document = dict[str, Any]

# Of 32 writers at once, one succeeds in each round, so that the last one needs 32 tries at most;
# with jitter it is far fewer.
_TRIES = 50
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class CollectionStore:
    """The document of the collection below a prefix.

    :param sleep: waits for a number of seconds; raises if the download is cancelled.
    """

    bucket: Bucket
    prefix: str
    sleep: Callable[[float], None]

    @property
    def key(self) -> str:
        """The document's key."""
        return collection_key(self.prefix)

    @property
    def uri(self) -> str:
        """The document's URI."""
        return self.bucket.uri(self.key)

    def read(self) -> tuple[Document | None, Precondition]:
        """Return the document, and the state of its key; None if there is no document.

        :raises ObjectExistsError: if this package did not write it, or it is damaged.
        """
        found = self.bucket.read_object(self.key)
        if found is None:
            return None, Precondition()
        content, etag = found
        try:
            return parse_document(content, self.uri), Precondition(etag)
        except ForeignValueError as error:
            raise ObjectExistsError(
                f"{self.uri} is not a collection that this package wrote ({error}); remove it and "
                "write it anew from the items with `earthengine-to-s3 collection rebuild`, or give "
                "another prefix in collection."
            ) from None

    def change(self, change: Callable[[Document | None], Document]) -> Document:
        """Return the document as it is once it was changed.

        :param change: returns the new document for the one that is there; called again for each
            try.
        :raises ServiceUnavailableError: if other writers come first each time.
        """
        for number in range(_TRIES):
            before, state = self.read()
            after = change(before)
            if after == before or self._write(after, state):
                return after
            most = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**number)
            self.sleep(random.uniform(0, most))
        raise ServiceUnavailableError(
            f"{self.uri} was changed by other writers {_TRIES} times; write it anew from the items "
            "with `earthengine-to-s3 collection rebuild`."
        )

    def _write(self, document: Document, state: Precondition) -> bool:
        """Return whether the document was written: its key was still in that state."""
        self.bucket.find_out_conditions(self.prefix)
        try:
            self.bucket.write_object(
                self.key, encode_document(document), COLLECTION_MEDIA_TYPE, state
            )
        except (ConditionFailedError, UploadConflictError):
            return False
        return True
