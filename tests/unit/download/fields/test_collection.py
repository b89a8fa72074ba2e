"""The operator's field ``collection``: what it may say, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.collection import read_collection, relative_link
from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator


def test_nothing_is_no_collection() -> None:
    assert read_collection(None) is None
    assert read_collection("") is None


def test_both_spellings_of_the_licence_are_one() -> None:
    for spelling in ("licence", "license"):
        read = read_collection({"id": "a", spelling: "CC-BY-4.0"})
        assert read
        assert read.texts == {"license": "CC-BY-4.0"}
    both = read_collection({"id": "a", "licence": "MIT", "license": "MIT"})
    assert both
    assert both.texts == {"license": "MIT"}


def test_text_of_a_template_means_what_it_says() -> None:
    read = read_collection('{"id": "a", "mixed_grids": "true", "keywords": ["x"], "title": ""}')
    assert read
    assert (read.mixed_grids, read.texts) == (True, {"keywords": ["x"]})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "has no id"),
        ({"id": ""}, "has no id"),
        ("ndvi", "write a dict"),
        ([], "write a dict"),
        ({"id": "a", "licnse": "MIT"}, "any of the keys id, prefix, title"),
        ({"id": "COPERNICUS/S2_SR"}, "becomes part of URLs"),
        ({"id": "a b"}, "becomes part of URLs"),
        ({"id": "-a"}, "becomes part of URLs"),
        ({"id": "é"}, "becomes part of URLs"),
        ({"id": "a" * 201}, "becomes part of URLs"),
        ({"id": 3}, "text"),
        ({"id": "a", "licence": "CC BY 4.0"}, "spdx.org"),
        ({"id": "a", "licence": "MIT", "license": "ISC"}, "write one of them"),
        ({"id": "a", "prefix": "x/../y"}, "prefix"),
        ({"id": "a", "prefix": "s3://b/x"}, "prefix"),
        ({"id": "a", "prefix": "other"}, "not below it"),
        ({"id": "a", "prefix": "ser"}, "not below it"),
        ({"id": "a", "prefix": "series/2026/x"}, "not below it"),
        ({"id": "a", "keywords": "x"}, "write a list"),
        ({"id": "a", "keywords": [1]}, r"keywords'\]\[0\]"),
        ({"id": "a", "providers": [{"url": "https://x.org"}]}, "with name"),
        ({"id": "a", "providers": [{"name": "X", "roles": ["owner"]}]}, "licensor, producer"),
        ({"id": "a", "providers": [{"name": "X", "url": "x.org"}]}, "https://"),
        ({"id": "a", "mixed_grids": "perhaps"}, "true or false"),
    ],
)
def test_what_cannot_be_is_refused(value: Any, message: str) -> None:
    with pytest.raises(DownloadParamsError, match=message):
        read_collection(value, "series/2026")


@pytest.mark.parametrize("prefix", ["series/2026", "series", "/series/", "/"])
def test_a_collection_lies_above_its_items(prefix: str) -> None:
    read = read_collection({"id": "a", "prefix": prefix}, "series/2026")
    assert read
    assert read.key == f"{prefix.strip('/')}/collection.json".lstrip("/")


def test_a_literal_is_checked_while_the_dag_file_is_parsed() -> None:
    def operator(**fields: Any) -> EarthEngineToS3Operator:
        return EarthEngineToS3Operator(
            task_id="t", image="a/b", download_params={}, s3_bucket="b", **fields
        )

    for wrong in (
        {"collection": {"title": "no id"}},
        {"collection": {"id": "{{ x }}", "licence": "a b"}},
        {"collection": {"id": "{{ x }}", "wrong": "{{ y }}"}},
        {"collection": {"id": "a", "prefix": "x"}, "s3_prefix": "y"},
    ):
        with pytest.raises(DownloadParamsError, match="collection"):
            operator(**wrong)
    operator(collection={"id": "{{ x }}", "prefix": "{{ y }}"}, s3_prefix="z")
    operator(collection="{{ x }}")


@pytest.mark.parametrize(
    ("source", "target", "wanted"),
    [
        ("a/collection.json", "a/b/i.json", "./b/i.json"),
        ("a/b/i.json", "a/collection.json", "../collection.json"),
        ("i.json", "collection.json", "./collection.json"),
        ("a/b/c/i.json", "collection.json", "../../../collection.json"),
        ("collection.json", "São Paulo/a%20#1?.json", "./São Paulo/a%2520%231%3F.json"),
    ],
)
def test_links_hold_wherever_the_prefix_is(source: str, target: str, wanted: str) -> None:
    assert relative_link(source, target) == wanted
