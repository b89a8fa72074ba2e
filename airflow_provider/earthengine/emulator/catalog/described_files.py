"""The files that descriptions name: they stay inside the catalog's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airflow_provider.earthengine.emulator.strict_json import Description


@dataclass(frozen=True)
class Place:
    """Where a description lies.

    :param folder: of the description; names of files are relative to it.
    :param root: the folder of the whole catalog; None if there is none, and so no files.
    """

    folder: Path
    root: Path | None

    def take_file(self, description: Description) -> tuple[str, Path]:
        """Return the field ``file`` and the path of that file.

        Whoever may describe an asset must not be able to read any file of this machine as one.

        :raises CatalogError: if the file does not lie in the catalog's folder.
        """
        name = description.take_text("file")
        path = self.folder / name
        if self.root is None:
            raise description.error("file", "this emulator serves no folder with files")
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise description.error("file", f"{name!r} must lie in the catalog's folder")
        return name, path
