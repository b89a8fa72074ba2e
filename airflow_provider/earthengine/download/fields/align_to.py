"""The operator's field ``align_to``: the URI of an item or raster -> the lattice of its pixels."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from airflow_provider.earthengine.download.fields.lattice import Lattice, make_lattice
from airflow_provider.earthengine.download.fields.values import is_unset, read_text, shown
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError, parse_json
from airflow_provider.earthengine.exceptions import DownloadParamsError

_URI = re.compile(r"s3://[^/]+/.+")
_EPSG = re.compile(r"EPSG:\d{1,6}", re.IGNORECASE)
_MAX_CRS_LENGTH = 20_000

ReadGrid = Callable[[str], tuple[str, tuple[float, ...]]]
"""Returns the crs and the transform of a raster."""


def read_align_to(value: Any) -> str | None:
    """Return the URI; None if it is unset.

    :raises DownloadParamsError: if it is no ``s3://`` URI of an object.
    """
    if is_unset(value):
        return None
    uri = read_text("align_to", value)
    if not _URI.fullmatch(uri):
        raise _wrong(
            f"align_to is {shown(value)}; write s3://bucket/key of an item or a raster, such as "
            "the XCom 'item' of the download that the others are to match."
        )
    return uri


def check_one_lattice(grid: Lattice | None, align_to: str | None) -> None:
    """Raise if both fields give the lattice.

    :raises DownloadParamsError: if they do.
    """
    if grid is not None and align_to is not None:
        raise _wrong("grid and align_to are both given; leave one of them out.")


def find_lattice(uri: str, read_uri: Callable[[str], bytes], read_grid: ReadGrid) -> Lattice:
    """Return the lattice of a published item, or of a raster.

    :param read_uri: returns the content of an object.
    :raises DownloadParamsError: if there is no object, or it has no grid, or several.
    """
    if not uri.lower().endswith(".json"):
        crs, terms = read_grid(uri)
        lattice = make_lattice(crs, terms) if crs else None
        if lattice is None:
            raise _wrong(f"align_to is {shown(uri)}, a raster without a crs or a place.")
        return lattice
    try:
        found = _read_item(parse_json(read_uri(uri), "the item"))
    except ForeignValueError as error:
        raise _wrong(f"align_to is {shown(uri)}, which is not a STAC item: {error}.") from None
    if not found:
        raise _wrong(
            f"align_to is {shown(uri)}, whose assets have no proj:transform with a crs; name an "
            "item of a GeoTIFF."
        )
    first, *others = found
    if not all(first.has_edges_of(each) for each in others):
        raise _wrong(
            f"align_to is {shown(uri)}, whose assets have pixels of different places or sizes; "
            "name the raster that is meant, or write grid."
        )
    return first


def _read_item(item: Foreign) -> list[Lattice]:
    """Return the lattices of an item's assets; what an asset lacks, the item's properties have."""
    shared = item.at("properties").fields()
    lattices = []
    for name, asset in item.at("assets").fields().items():
        fields = {**shared, **Foreign(asset, name).fields()}
        terms = Foreign(fields.get("proj:transform"), "proj:transform")
        crs = _read_crs(Foreign(fields, name))
        if terms.is_absent or crs is None:
            continue
        numbers = [term.finite() for term in terms.items()[:6]]
        lattice = make_lattice(crs, numbers) if len(numbers) == 6 else None
        if lattice is None:
            terms.refuse("the transform of pixels with an area")
        lattices.append(lattice)
    return lattices


def _read_crs(fields: Foreign) -> str | None:
    code, epsg, wkt = (fields.at(f"proj:{each}") for each in ("code", "epsg", "wkt2"))
    if not code.is_absent:
        text = code.text()
        return text.upper() if _EPSG.fullmatch(text) else text
    if not epsg.is_absent:
        return f"EPSG:{epsg.whole(least=1)}"
    return None if wkt.is_absent else wkt.text(_MAX_CRS_LENGTH)


def _wrong(message: str) -> DownloadParamsError:
    return DownloadParamsError(message, field="align_to")
