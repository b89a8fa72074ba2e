"""What is in a DAG file, without running it."""

from __future__ import annotations

import re
from pathlib import Path


def dag_ids(file: Path) -> list[str]:
    """Return the functions of a DAG file that are decorated with ``@dag``."""
    text = file.read_text(encoding="utf-8")
    return re.findall(r"^@dag\((?:.*\n)*?^def (\w+)", text, re.MULTILINE)
