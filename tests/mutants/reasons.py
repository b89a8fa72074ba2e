"""Why mutants may survive: they change nothing, or nothing that is worth a test."""

from __future__ import annotations

REASONS: dict[str, str] = {
    # bucket
    "026b999c15cd": "the client gives each refusal a message, if an empty one",
    # catalog
    "071aff51c070": "the collection was limited to one image before",
    # plan
    "004676ad0198": "a wider margin: more grids are left to Earth Engine, which knows",
    "00a0d70da04e": "nothing asks for the name of a band without parameters of its own",
    "019cdbc66337": "not tried again since a test of such bands was added",
    "01c933f19b2f": "PROJ lets the axes, which follow, override an ellipsoid's name",
    # publish
    "003b69a8c9ae": "the media type of an old item that is put back; readers go by its key",
    # fetch
    "015053a64cb2": "not tried again since a test looks at the status",
    "02330fadd13a": "not tried again since a test looks at what failed",
    "02385f467cd9": "not tried again since a test has a tile without a crs",
    "011d6731da49": "the rate that the log says in the first second",
    "0535d72f2e52": "the bytes that the log counts",
    # triggers
    "040152b60987": "it only decides what is logged",
}
