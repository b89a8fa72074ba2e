"""The names of bands -> which of them make a picture: red, green and blue, or one."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Red, green and blue, in lower case: as people name them, as ``ee.Image.visualize`` does, and as
# catalogs do for Sentinel-2, Landsat 8 and 9, and MODIS.
# Source: https://developers.google.com/earth-engine/datasets/catalog, read 2026-11.
_TRIPLES = (
    ("red", "green", "blue"),
    ("r", "g", "b"),
    ("vis-red", "vis-green", "vis-blue"),
    ("tci_r", "tci_g", "tci_b"),
    ("b4", "b3", "b2"),
    ("sr_b4", "sr_b3", "sr_b2"),
    ("sur_refl_b01", "sur_refl_b04", "sur_refl_b03"),
)
# Landsat 4 to 7 number their bands differently, under the same names.
_OLDER_LANDSAT = re.compile(r"LANDSAT/L[TE]0?[457]", re.ASCII)
_OLDER_TRIPLES = (("b3", "b2", "b1"), ("sr_b3", "sr_b2", "sr_b1"))
# What reducers append to the names of an image collection's bands.
_REDUCED = re.compile(r"_(?:mean|median|min|max|mode|first|last|mosaic|p\d{1,3})\Z")


def choose_bands(names: Sequence[str], asset_id: str | None = None) -> tuple[int, ...]:
    """Return the positions of red, green and blue, counted from 0; else that of the first band.

    :param names: of all bands, at least one.
    :param asset_id: of the image, which tells Landsat 4 to 7 from 8 and 9.
    """
    positions: dict[str, int] = {}
    for position, name in enumerate(names):
        positions.setdefault(_REDUCED.sub("", name.lower()), position)
    is_older = _OLDER_LANDSAT.match(asset_id or "")
    for triple in _OLDER_TRIPLES if is_older else _TRIPLES:
        if all(name in positions for name in triple):
            return tuple(positions[name] for name in triple)
    return (0,)
