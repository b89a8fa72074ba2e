"""The README's code blocks."""

from __future__ import annotations

import re

from stack.environment import PROJECT_FOLDER


def readme_block(language: str) -> str:
    """Return the README's first fenced block of this language."""
    text = (PROJECT_FOLDER / "README.md").read_text()
    block = re.search(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert block is not None, f"README.md has no block of {language}"
    return block.group(1)
