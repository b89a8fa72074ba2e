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
    "037530b9c1fb": "bands of sensors are made at import, where no mutant is at work",
    # publish
    "003b69a8c9ae": "the media type of an old item that is put back; readers go by its key",
    # fields
    "0285acaee6de": "what is odd in a region was refused when it was read first",
    # raster
    "00a0065af711": "tiles without a crs were refused before",
    # fetch
    "011d6731da49": "the rate that the log says in the first second",
    "03819e113c24": "whole downloads with profiles see it, which are slower",
    # triggers
    "040152b60987": "it only decides what is logged",
}
