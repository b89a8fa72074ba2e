"""The tabs in Airflow's own pages: a real API server, real downloads, and a browser."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider.earthengine.demo.servers import Ports, running_servers
from stack.browser import HOW_TO_GET_ONE, PATIENCE_MILLISECONDS, find_browser, open_browser
from stack.screenshots import take_screenshots
from stack.task_pages import ELEVATION, MAPPED, OTHER, TaskPages, task_pages
from tests.integration.conftest import oldest_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

BROWSER = find_browser()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("task pages"),
    pytest.mark.skipif(BROWSER is None, reason=f"there is no Chromium; {HOW_TO_GET_ONE}"),
]
ODD = "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">"
PREFIX = "AIRFLOW_CONN_"


@contextmanager
def pages_of(
    folder: Path, migrated_file: Path | None, program: Path | None = None
) -> Iterator[TaskPages]:
    with running_servers(Ports(), folder / "s3") as servers:
        connections = {
            name.removeprefix(PREFIX).lower(): text for name, text in servers.variables.items()
        }
        with task_pages(folder, connections, migrated_file, program) as running:
            yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[TaskPages]:
    with pages_of(tmp_path_factory.mktemp("pages"), migrated_file) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert BROWSER is not None
    with open_browser(BROWSER) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, pages: TaskPages) -> Iterator[Page]:
    """A page whose every request goes to Airflow, and which reports no error."""
    opened = browser.new_page(viewport={"width": 1400, "height": 1200})
    opened.set_default_timeout(PATIENCE_MILLISECONDS)
    asked: list[str] = []
    failed: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: failed.append(str(error)))
    yield opened
    opened.close()
    assert [url for url in asked if not url.startswith((pages.url, "data:", "blob:"))] == []
    assert failed == []


def heading(page: Page, name: str) -> Any:
    return page.get_by_role("heading", name=name, exact=True)


def test_the_tab_of_a_task_shows_what_it_downloaded(page: Page, pages: TaskPages) -> None:
    page.goto(pages.task(MAPPED, 0))
    for name in ("Quick-look", "Footprint", "Files", "Bands", "What was asked", "What it took"):
        heading(page, name).wait_for()
    picture = page.get_by_role("img", name="Quick-look of s3://demo/sentinel2/2021/01/")
    assert picture.evaluate("each => each.naturalWidth") > 100
    files = page.get_by_role("region", name="Files")
    assert files.get_by_text("s3://demo/sentinel2/2021/01/").count() == 1
    assert "EPSG:32610" in files.inner_text()
    assert page.get_by_role("region", name="Bands").get_by_role("row").count() == 4
    assert page.get_by_role("link", name="Earth Engine catalog").get_attribute("href") == (
        "https://developers.google.com/earth-engine/datasets/catalog/COPERNICUS_S2_SR_HARMONIZED"
    )
    assert page.get_by_role("img", name="The world, with the place at 37").count() == 1


def test_the_oldest_airflow_shows_both_tabs(browser: Browser, tmp_path: Path) -> None:
    with pages_of(tmp_path, None, oldest_program()) as pages:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        # It forgets where somebody wanted to go who has not logged in yet.
        page.goto(pages.url)
        page.get_by_role("link", name="Dags", exact=True).first.wait_for()
        page.goto(pages.task(MAPPED, 0))
        for name in ("Quick-look", "Footprint", "Files", "Bands"):
            heading(page, name).wait_for()
        page.goto(pages.contact_sheet)
        heading(page, "Downloads of this run: 7").wait_for()
        assert page.get_by_role("img", name="Quick-look of").count() == 7
        page.close()


def test_a_uri_is_copied(browser: Browser, page: Page, pages: TaskPages) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(pages.task(ELEVATION))
    page.get_by_role("button", name="Copy s3://demo/olinda.tif", exact=True).click()
    page.get_by_text("Copied", exact=True).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "s3://demo/olinda.tif"


def test_the_contact_sheet_leads_to_the_tabs_of_the_tasks(page: Page, pages: TaskPages) -> None:
    page.goto(pages.contact_sheet)
    heading(page, "Downloads of this run: 7").wait_for()
    pictures = page.get_by_role("img", name="Quick-look of")
    assert pictures.count() == 7
    widths = pictures.evaluate_all("all => all.map(each => each.naturalWidth)")
    assert min(widths) > 50
    page.get_by_role("link", name="olinda").click()
    heading(page, "Footprint").wait_for()
    assert page.url == pages.task(ELEVATION)


def test_the_buttons_of_a_download_lead_to_its_item_and_its_dataset(
    page: Page, pages: TaskPages
) -> None:
    page.goto(pages.task(MAPPED, 0).replace("/plugin/earth_engine", "/details"))
    page.get_by_role("link", name="Earth Engine catalog").wait_for()
    item = page.get_by_role("link", name="STAC item").get_attribute("href")
    assert item is not None
    assert item.startswith("http://127.0.0.1:")
    assert item.endswith(".tif.json")
    assert page.get_by_role("link", name="Object in S3").count() == 0


@pytest.mark.parametrize("address", ["task", "other"])
def test_a_task_without_a_download_says_so(page: Page, pages: TaskPages, address: str) -> None:
    page.goto(pages.task(OTHER) if address == "other" else pages.task(MAPPED, 99))
    page.get_by_text("This task has left no download to show").wait_for()


def test_xcom_of_other_versions_and_markup_are_shown_as_they_are(
    page: Page, pages: TaskPages
) -> None:
    pages.change_summary(MAPPED, 5, {"warnings": [ODD], "all_masked": [ODD]})
    page.goto(pages.task(MAPPED, 5))
    page.get_by_text("An older version of the provider wrote this").wait_for()
    assert page.get_by_text(ODD, exact=True).count() == 1
    assert heading(page, "Files").count() == 0

    file = {"uri": f"s3://demo/{ODD}", "byte_count": "x", "width": {}, "crs": [ODD]}
    newer = {
        "version": 9, "item": ODD, "warnings": [{"a": ODD}, 3, None], "all_masked": {"a": 1},
        "picture": "https://example.com/x.png", "files": [file, None, 3], "bands": [{"name": ODD}],
        "footprint": {"type": "Polygon", "coordinates": [[[None, "x"], 3]]}, "bbox": [1, None],
        "asked": {"asset_id": ODD, "params": {ODD: ODD}}, "links": {"item": "javascript:alert(1)"},
        "left_out": {"bands": ODD},
    }  # fmt: skip
    pages.change_summary(MAPPED, 5, newer)
    page.goto(pages.task(MAPPED, 5))
    page.get_by_text("A newer version of the provider wrote this").wait_for()
    page.get_by_text("No picture", exact=True).wait_for()
    assert page.get_by_text("It has no place on the globe that is known.").count() == 1
    assert page.get_by_role("link", name="STAC item").count() == 0
    assert "hacked" not in page.title()


def test_who_may_not_read_it_is_told_so(page: Page, pages: TaskPages) -> None:
    def deny(route: Route) -> None:
        route.fulfill(status=403, json={"detail": "Forbidden"})

    # This Airflow lets everybody in; what it answers to others is tested by its web application.
    page.route("**/earthengine/dags/**", deny)
    for address in (pages.task(MAPPED, 0), pages.contact_sheet):
        page.goto(address)
        page.get_by_text("You may not read the XCom of this DAG.").wait_for()


def test_nobody_is_answered_without_logging_in(pages: TaskPages) -> None:
    plain = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    path = "/earthengine/dags/santa_cruz/runs/x/pictures"
    # All are admins here, but only with the token that the user interface has.
    request = urllib.request.Request(f"{pages.url}{path}")
    request.add_header("Authorization", "Bearer x")
    with pytest.raises(urllib.error.HTTPError) as raised:
        plain.open(request, timeout=60)
    with raised.value as refused:
        assert refused.code in {401, 403}
        assert refused.headers["X-Content-Type-Options"] == "nosniff"
    with plain.open(f"{pages.url}/earthengine/task_page.js", timeout=60) as answer:
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["task", "run"])
def test_the_tabs_are_accessible(
    browser: Browser, pages: TaskPages, which: str, scheme: Any
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": 1400, "height": 1200}, color_scheme=scheme)
    page.set_default_timeout(PATIENCE_MILLISECONDS)
    page.add_init_script(f"localStorage.setItem('theme', '{scheme}')")
    page.goto(pages.task(MAPPED, 1) if which == "task" else pages.contact_sheet)
    heading(page, "Footprint" if which == "task" else "Downloads of this run: 7").wait_for()
    # What is Airflow's own is Airflow's.
    page.evaluate(
        "name => [...document.querySelectorAll('h2')].find(each => each.innerText.startsWith(name))"
        ".closest('[data-tab=earthengine]').id = 'judged'",
        "Footprint" if which == "task" else "Downloads",
    )
    found = Axe().run(page, context="#judged")
    page.close()
    assert [
        (each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]
    ] == []  # fmt: skip


def test_the_screenshots_of_the_documentation_are_taken(
    browser: Browser, pages: TaskPages, tmp_path: Path
) -> None:
    take_screenshots(pages, browser, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "contact-sheet.png", "task-page.png"
    ]  # fmt: skip
    assert all(path.stat().st_size > 50_000 for path in tmp_path.glob("*.png"))


def test_the_summary_in_the_database_is_what_the_page_asks_for(pages: TaskPages) -> None:
    address = f"{pages.url}/earthengine/dags/santa_cruz/runs/{pages.run_id}/tasks/{ELEVATION}/-1"
    plain = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with plain.open(address.replace("+", "%2B"), timeout=60) as answer:
        summary = json.load(answer)["summary"]
    assert summary["files"][0]["uri"] == "s3://demo/olinda.tif"
    assert summary["picture"].startswith("data:image/")
