"""The web application by itself: who may ask, what is answered, and under which headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.common.db.common import _get_session
from airflow.api_fastapi.core_api import security
from airflow.models.xcom import XComModel
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from airflow_provider.earthengine.plugins import task_page, web_app
from airflow_provider.earthengine.plugins.task_page import EarthEnginePlugin
from tests.unit.plugins.pushed import ODD, SUMMARY, push

STATIC = Path(web_app.__file__).parent / "static"
TASK = "/dags/d/runs/r/tasks/t/-1"
RUN = "/dags/d/runs/r/pictures"


class Teamless:
    """Stands for the database's DAGs: the tests that are slow ask a real one."""

    @staticmethod
    def get_team_name(_: str) -> None:
        return None


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(security, "DagModel", Teamless)
    monkeypatch.setattr(security, "get_auth_manager", SimpleAuthManager)
    engine = sqlalchemy.create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    table: Any = XComModel.__table__
    table.create(engine)
    with Session(engine) as session:
        push(session, SUMMARY)
        push(session, {**SUMMARY, "seconds": float("nan")}, map_index=3)
        push(session, SUMMARY, dag_id="other")
        session.commit()
        made = web_app.make_app()
        made.dependency_overrides[_get_session] = lambda: session
        yield made
    engine.dispose()


def client_of(app: Any, role: str | None) -> TestClient:
    """Return the client of a user with a role; None: nobody has logged in."""
    if role is not None:
        user = SimpleAuthManagerUser(username="bob", role=role)
        app.dependency_overrides[security.get_user] = lambda: user
    return TestClient(app)


def test_a_viewer_gets_what_a_task_left_and_a_runs_pictures(app: Any) -> None:
    client = client_of(app, "viewer")
    answer = client.get(TASK)
    assert answer.status_code == 200
    assert answer.json()["summary"] == {**SUMMARY, "is_newer": False}
    pictures = client.get(RUN).json()
    assert (pictures["count"], pictures["next"]) == (2, 2)
    assert [each["map_index"] for each in pictures["pictures"]] == [-1, 3]


def test_where_there_is_nothing_the_answer_says_so(app: Any) -> None:
    client = client_of(app, "viewer")
    assert client.get("/dags/d/runs/r/tasks/none/-1").json() == {"summary": None}
    assert client.get("/dags/d/runs/none/pictures").json()["count"] == 0


def test_what_is_no_number_is_text(app: Any) -> None:
    answer = client_of(app, "viewer").get("/dags/d/runs/r/tasks/t/3")
    assert answer.json()["summary"]["seconds"] == "nan"


@pytest.mark.parametrize(("role", "status"), [(None, 401), ("", 403)])
@pytest.mark.parametrize("path", [TASK, RUN, "/dags/none/runs/r/tasks/t/-1"])
def test_who_may_not_read_xcom_gets_nothing(
    app: Any, role: str | None, status: int, path: str
) -> None:
    answer = client_of(app, role).get(path)
    assert answer.status_code == status
    assert "s3://" not in answer.text


class OneDag(SimpleAuthManager):
    """Lets everybody read the XCom of one DAG, and nothing else."""

    def is_authorized_dag(self, *, method: Any, details: Any = None, **asked: Any) -> bool:
        entity = asked["access_entity"]
        return (method, details.id, entity) == ("GET", "d", DagAccessEntity.XCOM)


def test_who_may_read_the_xcom_of_one_dag_gets_that_of_no_other(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "get_auth_manager", OneDag)
    client = client_of(app, "viewer")
    for path in (TASK, RUN):
        assert client.get(path).status_code == 200
        assert client.get(path.replace("/d/", "/other/")).status_code == 403
        assert client.get(f"{path.replace('/d/', '/other/')}?dag_id=d").status_code == 403
        assert client.get(path.replace("/d/", "/~/")).status_code == 403


@pytest.mark.parametrize(
    "query", ["offset=-1", "limit=0", "limit=97", "limit=x", "offset=1e9", "limit=100000000000"]
)
def test_odd_pages_are_refused(app: Any, query: str) -> None:
    assert client_of(app, "viewer").get(f"{RUN}?{query}").status_code == 422


@pytest.mark.parametrize("path", [TASK, RUN, "/task_page.js", "/land.js", "/none", "/none/none"])
@pytest.mark.parametrize("role", [None, "viewer"])
def test_no_answer_is_a_page_or_is_guessed_to_be_one(app: Any, path: str, role: str | None) -> None:
    headers = client_of(app, role).get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["Cache-Control"] == ("no-cache" if ".js" in path else "private, no-store")
    assert headers["Content-Type"].split(";")[0] in {"application/json", "text/javascript"}


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_nothing_can_be_changed(app: Any, method: str) -> None:
    client = client_of(app, "admin")
    assert getattr(client, method)(TASK).status_code == 405


@pytest.mark.parametrize(
    "name", ["web_app.py", "../web_app.py", "..%2Fweb_app.py", "static", "%2e%2e", "task_page"]
)
def test_only_its_own_modules_are_served(app: Any, name: str) -> None:
    assert client_of(app, None).get(f"/{name}").status_code == 404


def test_every_module_that_is_imported_is_served(app: Any) -> None:
    client = client_of(app, None)
    imported = {"task_page.js"}
    for path in STATIC.glob("*.js"):
        imported |= set(re.findall(r'from "\./([\w.]+)"', path.read_text()))
    assert imported == {path.name for path in STATIC.glob("*.js")}
    for name in imported:
        assert client.get(f"/{name}").content == (STATIC / name).read_bytes()


def test_the_modules_name_no_other_server_and_write_no_markup() -> None:
    for path in STATIC.glob("*.js"):
        code = "\n".join(
            line for line in path.read_text().splitlines() if not line.lstrip().startswith("//")
        )
        assert not re.findall(r"https?://[\w.]", code), path.name
        for word in ("innerHTML", "dangerouslySetInnerHTML", "eval(", "document.write"):
            assert word not in code, path.name


def test_the_tabs_are_drawn_by_functions_of_their_names() -> None:
    names = {each["name"] for each in EarthEnginePlugin.react_apps}
    assert names == {task_page.TASK_TAB, task_page.RUN_TAB}
    code = (STATIC / task_page.BUNDLE).read_text()
    assert set(re.findall(r'^globalThis\["([^"]+)"\] = ', code, re.MULTILINE)) == names
    routes = [each["url_route"] for each in EarthEnginePlugin.react_apps]
    assert f'"plugin", "{routes[0]}"' in code


def test_markup_stays_text_in_json(app: Any) -> None:
    answer = client_of(app, "viewer").get(TASK)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["summary"]["bands"] == [{"name": ODD}]
