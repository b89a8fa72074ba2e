"""The web application behind the tabs: two questions about XCom, and the module that asks them.

Whoever may read the DAG's XCom may ask. No other server is asked, and no bucket is read.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response

from airflow_provider.earthengine.plugins.summaries import find_summary, list_summaries

_STATIC = Path(__file__).parent / "static"
_MODULES = frozenset(path.name for path in _STATIC.glob("*.js"))
# A page of a contact sheet has at most 5 MB.
_PAGE, _MOST = 48, 96

_HEADERS = {
    # What is answered here is never a page: it loads nothing, and nothing frames it.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def make_app() -> FastAPI:
    """Return the application."""
    app = FastAPI(title="Earth Engine downloads", docs_url=None, redoc_url=None, openapi_url=None)
    app.middleware("http")(_add_headers)
    may_read = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))
    app.get("/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/{map_index}", dependencies=[may_read])(
        get_summary
    )
    app.get("/dags/{dag_id}/runs/{run_id}/pictures", dependencies=[may_read])(get_pictures)
    # The module holds no data, and a browser asks for it without credentials.
    app.get("/{name}")(get_module)
    return app


async def _add_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def get_summary(
    dag_id: str, run_id: str, task_id: str, map_index: int, session: SessionDep
) -> Response:
    """Answer with the summary that a task left, or null.

    :param map_index: -1 for a task that is not mapped.
    """
    return _json({"summary": find_summary(session, dag_id, run_id, task_id, map_index)})


def get_pictures(
    dag_id: str,
    run_id: str,
    session: SessionDep,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = _PAGE,
) -> Response:
    """Answer with some of the pictures of a run."""
    return _json(list_summaries(session, dag_id, run_id, offset, limit))


def get_module(name: str) -> Response:
    """Answer with a module of JavaScript."""
    if name not in _MODULES:
        raise HTTPException(404)
    content = (_STATIC / name).read_bytes()
    headers = {"Cache-Control": "no-cache"}
    return Response(content, media_type="text/javascript; charset=utf-8", headers=headers)


def _json(value: Any) -> Response:
    content = json.dumps(value, allow_nan=False).encode()
    return Response(content, media_type="application/json")
