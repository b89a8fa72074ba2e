"""``make screenshots``: what Airflow's pages show of downloads, as pictures for the docs."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider.earthengine.demo.servers import Ports, running_servers
from stack.browser import HOW_TO_GET_ONE, PATIENCE_MILLISECONDS, find_browser, open_browser
from stack.environment import PROJECT_FOLDER
from stack.processes import StackError, interrupts_unwind
from stack.task_pages import MAPPED, TaskPages, task_pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_FOLDER = PROJECT_FOLDER / "docs"
_WIDTH, _HEIGHT = 1700, 1250


def main() -> int:
    """Write the pictures and return the exit code."""
    try:
        path = find_browser()
        if path is None:
            raise StackError(f"there is no Chromium; {HOW_TO_GET_ONE}")
        with (
            interrupts_unwind(),
            tempfile.TemporaryDirectory(prefix="screenshots-") as folder,
            running_servers(Ports(), Path(folder) / "s3") as servers,
        ):
            prefix = "AIRFLOW_CONN_"
            connections = {
                name.removeprefix(prefix).lower(): text for name, text in servers.variables.items()
            }
            with task_pages(Path(folder), connections) as pages, open_browser(path) as browser:
                take_screenshots(pages, browser, _FOLDER)
    except (StackError, OSError) as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 1
    return 0


def take_screenshots(pages: TaskPages, browser: Browser, folder: Path) -> None:
    """Write ``task-page.png`` and ``contact-sheet.png`` into a folder."""
    shots = [
        ("task-page.png", pages.task(MAPPED, 1), "Quick-look", _HEIGHT),
        ("contact-sheet.png", pages.contact_sheet, "Downloads of this run", 760),
    ]
    for name, address, heading, height in shots:
        page = browser.new_page(viewport={"width": _WIDTH, "height": height}, color_scheme="light")
        page.goto(address, timeout=PATIENCE_MILLISECONDS)
        page.get_by_role("heading", name=heading).wait_for(timeout=PATIENCE_MILLISECONDS)
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / name)
        page.close()
        print(folder / name)


if __name__ == "__main__":
    sys.exit(main())
