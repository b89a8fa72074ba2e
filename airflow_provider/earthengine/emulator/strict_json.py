"""Strict reading of JSON descriptions: every error names the file and the field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class CatalogError(ValueError):
    """A catalog that cannot be served; the message names the file and the field."""


class Description:
    """One JSON object of a description file.

    Each ``take_*`` removes a field; :meth:`finish` refuses what is left, so that a misspelt
    optional field is an error and not ignored.
    """

    def __init__(self, fields: object, path: Path, where: str = "") -> None:
        if not isinstance(fields, dict):
            raise CatalogError(f"{path}: {where or 'the file'} must be a JSON object")
        self._fields = dict(fields)
        self._path = path
        self._where = where

    @classmethod
    def read(cls, path: Path) -> Description:
        """Return the object in a JSON file."""
        try:
            return cls(json.loads(path.read_text(encoding="utf-8")), path)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise CatalogError(f"{path}: cannot be read as JSON: {error}") from None

    def error(self, field: str, problem: str) -> CatalogError:
        """Return the error for one field."""
        return CatalogError(f"{self._path}: {self._name(field)}: {problem}")

    def has(self, field: str) -> bool:
        return field in self._fields

    def take(self, field: str, default: object = ...) -> Any:
        """Return any value; raise if the field is missing and has no default."""
        if field not in self._fields and default is ...:
            raise self.error(field, "is missing")
        return self._fields.pop(field, default)

    def take_text(self, field: str, default: object = ...) -> str:
        value = self.take(field, default)
        if not isinstance(value, str) or not value:
            raise self.error(field, f"must be non-empty text, not {value!r}")
        return value

    def take_integer(self, field: str, minimum: int, default: object = ...) -> int:
        value = self.take(field, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise self.error(field, f"must be an integer of at least {minimum}, not {value!r}")
        return value

    def take_numbers(self, field: str, count: int, default: object = ...) -> list[float]:
        value = self.take(field, default)
        is_numbers = isinstance(value, list) and all(
            isinstance(number, (int, float)) and not isinstance(number, bool) for number in value
        )
        if not is_numbers or len(value) != count:
            raise self.error(field, f"must be a list of {count} numbers, not {value!r}")
        return [float(number) for number in value]

    def take_texts(self, field: str, default: object = ...) -> tuple[str, ...] | None:
        value = self.take(field, default)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self.error(field, f"must be a list of texts, not {value!r}")
        return tuple(value)

    def take_positive(self, field: str, default: object = ...) -> float:
        value = self.take(field, default)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or value <= 0:
            raise self.error(field, f"must be a positive number, not {value!r}")
        return float(value)

    def take_object(self, field: str, default: object = ...) -> dict[str, Any]:
        """Return an object with any fields."""
        value = self.take(field, default)
        if not isinstance(value, dict):
            raise self.error(field, f"must be an object, not {value!r}")
        return dict(value)

    def take_inner(self, field: str) -> Description:
        """Return the object in a field; the caller must finish it."""
        return Description(self.take(field), self._path, self._name(field))

    def take_objects(self, field: str, default: object = ...) -> Iterator[Description]:
        """Yield the objects of a list; the caller must finish each."""
        value = self.take(field, default)
        if not isinstance(value, list):
            raise self.error(field, f"must be a list, not {value!r}")
        for number, item in enumerate(value):
            yield Description(item, self._path, f"{self._name(field)}[{number}]")

    def finish(self) -> None:
        """Refuse the fields that were not taken."""
        for field in self._fields:
            raise self.error(field, "is not a known field")

    def _name(self, field: str) -> str:
        return f"{self._where}.{field}" if self._where else field
