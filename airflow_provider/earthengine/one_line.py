"""Text of others -> one line that shows what it holds, for errors and logs.

A server, a file or a user can write anything: line breaks that forge a line of the log, escapes
that steer a terminal, marks that turn the direction of writing.
"""

from __future__ import annotations


def one_line(text: str) -> str:
    """Return the text with blanks for line breaks, and escapes for what cannot be printed."""
    if text.isprintable():
        return text
    return "".join(map(_printable, " ".join(text.split())))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
