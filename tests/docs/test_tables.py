"""The documentation's tables hold what the code has: errors, fields, connection extras, tests."""

from __future__ import annotations

import ast
import inspect
import json
import re
from typing import Any

import pytest

from airflow_provider.earthengine import exceptions
from airflow_provider.earthengine.download.bucket.client_config import CLIENT_CONFIG
from airflow_provider.earthengine.download.fetch import body as fetch
from airflow_provider.earthengine.download.publish import typed_properties
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.exceptions import PermanentError, TransientError
from airflow_provider.earthengine.hooks import google_connection
from airflow_provider.earthengine.hooks.connection_config import (
    AUTH_METHODS,
    EXTRA_KEYS,
    read_connection,
)
from airflow_provider.earthengine.limits import MAX_REQUEST_SECONDS
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.environment import PROJECT_FOLDER
from stack.seaweedfs import SeaweedFS
from tests.docs.blocks import blocks, page_text, table_rows
from tests.integration.reference_page import CASES, REFUSED
from tests.support.airflow_task import task_context

SENTINEL2 = "COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG"
LANDSAT = "projects/demo/assets/landsat7_olinda"


def code_words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def section(page: str, heading: str) -> str:
    """Return the text of a page between this heading and the next."""
    return page_text(page).split(f"\n## {heading}\n")[1].split("\n## ")[0]


# Errors


def builtin_of(error: type[Exception]) -> str:
    """Return which of Python's own errors it is, too."""
    return next(each.__name__ for each in error.__mro__ if each.__module__ == "builtins")


@pytest.mark.parametrize(
    ("heading", "root"),
    [("Waiting does not help", PermanentError), ("Waiting may help", TransientError)],
)
def test_the_catalog_has_every_error_in_the_branch_where_it_belongs(
    heading: str, root: type[Exception]
) -> None:
    rows = table_rows(section("errors", heading), "| class")
    documented = {row[0].strip("`"): row[1].strip("`") for row in rows}
    classes = [
        error
        for _, error in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(error, root) and error is not root
    ]
    assert documented == {error.__name__: builtin_of(error) for error in classes}
    assert all(all(cell for cell in row) for row in rows)


# The item


def fields_of_items(items: list[dict[str, Any]]) -> tuple[set[str], set[str], set[str]]:
    """Return the names of the properties, of the assets' fields and of the bands' fields."""
    assets = [asset for item in items for asset in item["assets"].values()]
    bands = [band for asset in assets for band in asset.get("bands", [])]
    return (
        {name for item in items for name in item["properties"]},
        {name for asset in assets for name in asset} - {"href", "type", "roles"},
        {name for band in bands for name in band},
    )


def documented_fields(heading: str) -> set[str]:
    rows = table_rows(section("item", heading), "| field")
    return {name for row in rows for name in code_words(row[0])}


@pytest.mark.slow
def test_the_page_of_the_item_names_every_field_that_an_item_has(
    connections: object, bucket: str, s3: SeaweedFS
) -> None:
    everything: list[dict[str, Any]] = [
        {
            "image": SENTINEL2,
            "download_params": {
                "bands": ["B3"], "region": [-122.08, 37.05, -122.07, 37.06]
            },
            "nodata": 65535,
            "source": {"images": [[SENTINEL2, 1]]},
            "record": {
                "licence": "CC-BY-4.0", "attribution": "Copernicus",
                "bands": {"B3": {"scale": 0.0001, "offset": 0, "unit": "1", "description": "x"}},
            },
            "grid": {"crs": "EPSG:32610", "resolution": 60},
            "s3_key": "{date}/{base}.{band}.tif",
        },
        {
            "image": SENTINEL2,
            "download_params": {"region": "projects/demo/assets/regions", "scale": 600},
        },
        {"image": LANDSAT, "download_params": {"bands": ["B1"], "format": "GEO_TIFF"}},
    ]  # fmt: skip
    items = []
    for fields in everything:
        operator = EarthEngineToS3Operator(task_id="download", s3_bucket=bucket, **fields)
        context = task_context()
        operator.execute(context)  # type: ignore[arg-type]  # a stand-in
        key = context["ti"].xcom["item"].removeprefix(f"s3://{bucket}/")
        items.append(json.loads(s3.client().get_object(Bucket=bucket, Key=key)["Body"].read()))
    properties, assets, bands = fields_of_items(items)
    # Seen only where there is no version, no EPSG code, a prediction that did not come true, no
    # valid pixel, or a store that cannot write conditionally.
    rare = {"earthengine:asset_version", "earthengine:warnings", "earthengine:all_masked",
            "earthengine:conditional_writes", "proj:wkt2"}  # fmt: skip
    # From properties of scenes, which the emulator's images lack.
    scenes = {field for field, _, _ in typed_properties._READERS}
    assert scenes <= documented_fields("Properties")
    rare |= scenes
    assert properties - rare == documented_fields("Properties") - rare
    assert assets - rare == documented_fields("Assets") - rare
    assert bands == documented_fields("Bands") - {"eo:full_width_half_max"}


# Connections


def test_the_connection_page_names_every_extra_and_every_credential_kind() -> None:
    page = page_text("connections")
    extras = [code_words(row[0])[0] for row in table_rows(page, "| extra")]
    assert extras == list(EXTRA_KEYS)
    kinds = [code_words(row[0])[0] for row in table_rows(page, "| `auth`")]
    assert sorted(kinds) == sorted(AUTH_METHODS)


def test_the_connection_page_names_every_field_of_a_google_connection() -> None:
    rows = table_rows(page_text("connections"), "| Google field")
    documented = {name for row in rows for name in code_words(row[0])}
    known = {*google_connection._KNOWN, *google_connection._REFUSED}
    assert documented == known - {"endpoint_url", "iam_endpoint_url"}


@pytest.mark.parametrize(
    "text", [block.code for block in blocks("json") if block.page == "connections"]
)
def test_every_connection_of_the_page_is_understood(text: str) -> None:
    from airflow.sdk import Connection

    connection = Connection.from_json(text)
    assert read_connection("documented", connection).conn_id == "documented"


# The operator


def test_the_operator_page_names_every_field_and_its_default() -> None:
    page = page_text("reference/operator")
    documented = {row[0].strip("`"): row[1] for row in table_rows(page, "| field")}
    signature = inspect.signature(EarthEngineToS3Operator.__init__)
    defaults = {
        each.name: each.default
        for each in signature.parameters.values()
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert list(documented) == list(defaults)
    for name, default in defaults.items():
        text = documented[name]
        if default is inspect.Parameter.empty:
            assert text == "required", name
        elif default not in (None, "", False):
            assert text.strip("`") == json.dumps(default), name
    # The page says that all the others are.
    assert set(defaults) - set(EarthEngineToS3Operator.template_fields) == {"source"}


# Parameters


def named_in_the_parameter_table() -> set[str]:
    rows = table_rows(page_text("parameters"), "| Earth Engine says")
    return {name for row in rows for name in code_words(row[-1])}


def test_every_row_of_the_parameter_table_names_a_test() -> None:
    rows = table_rows(page_text("parameters"), "| Earth Engine says")
    assert rows
    assert [row[0] for row in rows if len(row) != 3 or not code_words(row[-1])] == []


def test_every_test_that_the_parameter_table_names_exists() -> None:
    files = set(re.findall(r"`(tests/[\w/]+\.py)`", page_text("parameters")))
    functions = {
        node.name
        for file in files
        for node in ast.parse((PROJECT_FOLDER / file).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    named = named_in_the_parameter_table()
    assert named <= functions | set(CASES) | set(REFUSED)
    assert set(CASES) | set(REFUSED) <= named


# Reliability


def test_the_time_limits_of_the_page_are_those_of_the_code() -> None:
    policy, patience = RetryPolicy(), CLIENT_CONFIG
    rows = dict(table_rows(section("reliability", "Time limits"), "| what"))
    first, *_ = waits = [int(policy.first_wait_seconds) * 2**n for n in range(policy.attempts - 1)]
    assert first == 1
    limits = {
        "a connection to Earth Engine": f"{fetch.CONNECT_SECONDS:.0f} s",
        "silence while Earth Engine computes, until its answer begins": (
            f"{fetch.READ_SECONDS:.0f} s: Earth Engine gives up after {MAX_REQUEST_SECONDS} s"
        ),
        "silence within a body of pixels": f"{fetch.BODY_SILENCE_SECONDS:.0f} s",
        "tries of one request to Earth Engine": (
            f"{policy.attempts}; none begins later than {policy.total_seconds:.0f} s"
        ),
        "wait between two tries": f"up to {', '.join(map(str, waits))} s",
        f"a longer Retry-After than {policy.longest_wait_seconds:.0f} s": "not waited for",
        "a connection to the object store": f"{patience.connect_timeout} s",
        "silence of the object store": f"{patience.read_timeout} s",
        "tries of one request to the object store": f"{patience.retries['total_max_attempts']}, in",
    }
    assert list(rows) == list(limits)
    assert [what for what, limit in limits.items() if not rows[what].startswith(limit)] == []
