"""Why mutants may survive: they change nothing, or nothing that is worth a test."""

from __future__ import annotations

REASONS: dict[str, str] = {
    # bucket
    "026b999c15cd": "the client gives each refusal a message, if an empty one",
    # triggers
    "040152b60987": "it only decides what is logged",
}
