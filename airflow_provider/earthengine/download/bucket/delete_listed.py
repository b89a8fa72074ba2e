"""Objects that were listed -> gone, unless they have changed since."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.errors import ConditionFailedError
from airflow_provider.earthengine.download.bucket.objects import ListedObject


def delete_listed(bucket: Bucket, listed: Mapping[str, ListedObject]) -> None:
    """Delete objects, each if it is still the one that was listed.

    :param listed: by key.
    """
    for key, each in listed.items():
        try:
            bucket.delete_object(key, each.etag)
        except ConditionFailedError:
            continue  # Another attempt has just deleted or rewritten it.
