"""``assets.listAssets``: the assets of a folder, and the images of a collection, in pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider.earthengine.emulator.api.asset_documents import asset_document
from airflow_provider.earthengine.emulator.catalog.catalog import Asset
from airflow_provider.earthengine.emulator.expressions.functions.signatures import Session
from airflow_provider.earthengine.emulator.replies import bad_field

# Source: https://developers.google.com/earth-engine/reference/rest/v1/projects.assets/listAssets
# (2025-08): the default and the maximum size of a page.
_PAGE = 1000
_BASIC = ("type", "name", "id", "updateTime")


def list_assets(session: Session, parent: str, query: Mapping[str, str]) -> dict[str, Any] | None:
    """Return one page of the children of a folder or collection; None if it does not exist.

    :param parent: the id of a collection, or the prefix of the ids of a folder's assets.
    """
    children = children_of(session, parent)
    if children is None:
        return None
    view = query.get("view", "FULL")
    if view not in {"FULL", "BASIC", "EARTH_ENGINE_ASSET_VIEW_UNSPECIFIED"}:
        raise bad_field("view", f"Invalid value at 'view', {view!r}")
    size, start = _number(query, "pageSize", _PAGE), _number(query, "pageToken", 0)
    size = min(size or _PAGE, _PAGE)
    documents = [asset_document(asset) for asset in children[start : start + size]]
    if view == "BASIC":
        documents = [{k: v for k, v in doc.items() if k in _BASIC} for doc in documents]
    page: dict[str, Any] = {"assets": documents}
    if start + size < len(children):
        page["nextPageToken"] = str(start + size)
    return page


def children_of(session: Session, parent: str) -> list[Asset] | None:
    """Return the assets in a folder or collection; None if there is no such thing."""
    collection = session.find(parent)
    if collection is not None:
        return session.images_of(collection) if collection.images else None
    prefix = f"{parent}/assets/" if parent.count("/") == 1 else f"{parent}/"
    found = [asset for asset in session.readable() if asset.id.startswith(prefix)]
    is_project = parent.startswith("projects/") and parent.count("/") == 1
    return found if found or is_project else None


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit():
        raise bad_field(name, f"Invalid value at '{name}', {text!r}")
    return int(text)
