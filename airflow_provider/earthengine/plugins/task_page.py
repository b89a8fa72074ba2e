"""The plugin: which tabs Airflow's pages get, and which module of JavaScript draws them.

Airflow imports it through the entry point ``airflow.plugins`` in every process that loads plugins,
so the web application behind it is made by its first request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowPlugin, conf

URL_PREFIX = "/earthengine"
BUNDLE = "task_page.js"
TASK_TAB, RUN_TAB = "Earth Engine", "Earth Engine pictures"
"""The names of the tabs, which are also those of the functions that draw them."""

_Message = MutableMapping[str, Any]


class LazyApp:
    """An ASGI application that is made by its first request."""

    @cached_property
    def _app(self) -> Callable[..., Awaitable[None]]:
        from airflow_provider.earthengine.plugins.web_app import make_app

        return make_app()

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        await self._app(scope, receive, send)


def _bundle_url() -> str:
    """Return the URL of the module below the path that Airflow is served at."""
    base = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return f"{base}{URL_PREFIX}/{BUNDLE}"


def _tab(name: str, destination: str, route: str) -> dict[str, str]:
    return {
        "name": name,
        "bundle_url": _bundle_url(),
        "destination": destination,
        "url_route": route,
    }


class EarthEnginePlugin(AirflowPlugin):
    """A tab for tasks and one for DAG runs, and what they ask."""

    name = "earthengine"
    # Airflow declares them as attributes of instances.
    fastapi_apps: list[Any] = [  # noqa: RUF012
        {"app": LazyApp(), "url_prefix": URL_PREFIX, "name": "Earth Engine downloads"}
    ]
    react_apps: list[Any] = [  # noqa: RUF012
        _tab(TASK_TAB, "task_instance", "earth_engine"),
        _tab(RUN_TAB, "dag_run", "earth_engine_pictures"),
    ]
