"""The browser of this machine, for the user interface; none is downloaded."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOW_TO_GET_ONE = "on Debian, apt-get install chromium fonts-dejavu-core"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Airflow's pages are large, and two cores may be busy.
PATIENCE_MILLISECONDS = 90_000


def find_browser() -> str | None:
    """Return the path of Chromium; None if there is none."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def open_browser(path: str) -> Iterator[Browser]:
    """Run the browser until the block ends.

    :param path: of Chromium.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Root has no sandbox; only pages of this machine are opened.
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()
