"""Why mutants may survive: they change nothing, or nothing that is worth a test."""

from __future__ import annotations

REASONS: dict[str, str] = {}
