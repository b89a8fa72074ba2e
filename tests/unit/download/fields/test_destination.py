import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.download.fields.destination import (
    Destination,
    fingerprint_download,
    read_if_exists,
    read_prefix,
)
from airflow_provider.earthengine.download.fields.image import read_image
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.exceptions import DownloadParamsError


def fingerprint(image: object = "A/B", layout: str = "as_served", **params: object) -> str:
    return fingerprint_download(read_image(image), read_params(params), layout)


def test_the_fingerprint_is_known_and_stays_the_same_between_versions() -> None:
    assert fingerprint(scale=20, bands=["B3"], format="GEO_TIFF") == (
        "v1:b3814e05fe7e9144b038b9639e0933fb88b6fe14bea6f8b20c435779cb678ca4"
    )


def test_ways_to_write_the_same_download_have_one_fingerprint() -> None:
    assert fingerprint(scale=20, filePerBand=False) == fingerprint(
        format="zipped_geo_tiff", scale="20.0"
    )
    assert fingerprint("A/B") == fingerprint(dict(read_image("A/B").expression))


def test_another_download_has_another_fingerprint() -> None:
    different = [
        fingerprint(),
        fingerprint("A/C"),
        fingerprint(layout="zip"),
        fingerprint(scale=20),
        fingerprint(scale=21),
        fingerprint(bands=["B1", "B2"]),
        fingerprint(bands=["B2", "B1"]),
        fingerprint(name="x"),
        fingerprint(region=[0, 0, 1, 1]),
    ]
    assert len(set(different)) == len(different)


@pytest.mark.parametrize(
    ("given", "prefix"),
    [("a/b", "a/b"), ("/a/b/", "a/b"), ("", ""), (None, ""), ("x=1/é", "x=1/é")],
)
def test_a_prefix_is_read_without_slashes_around_it(given: object, prefix: str) -> None:
    assert read_prefix(given) == prefix


@pytest.mark.parametrize("given", ["a//b", "../x", "a/./b", "a/..", "s3://bucket/x", "a\nb"])
def test_a_prefix_that_leads_elsewhere_is_refused(given: str) -> None:
    with pytest.raises(DownloadParamsError, match="s3_prefix"):
        read_prefix(given)


def test_keys_are_put_together_from_prefix_base_and_suffix() -> None:
    destination = Destination("demo", "a/b", "scene", ".tif.json")
    assert destination.key(".tif") == "a/b/scene.tif"
    assert destination.item_uri == "s3://demo/a/b/scene.tif.json"
    assert Destination("demo", "", "scene", ".tif.json").key(".tif") == "scene.tif"


def key_of(item_id: str) -> str:
    """Return the item's key, as the page on items says."""
    escaped = re.sub(r"~~([0-9A-F]{2})|~", lambda part: f"%{part[1]}" if part[1] else "/", item_id)
    return f"{unquote(escaped)}.json"


@pytest.mark.parametrize(
    ("prefix", "base", "item_id"),
    [
        ("", "scene", "scene.tif"),
        ("composites/2026/01", "santa_cruz", "composites~2026~01~santa_cruz.tif"),
        ("a-b", "c", "a-b~c.tif"),
        ("a", "b-c", "a~b-c.tif"),
        ("x=1", "a b:c~20", "x~~3D1~a~~20b~~3Ac~~7E20.tif"),
        ("São", "~", "S~~C3~~A3o~~~7E.tif"),
    ],
)
def test_an_id_is_the_items_key_in_characters_that_a_url_holds_as_they_are(
    prefix: str, base: str, item_id: str
) -> None:
    destination = Destination("demo", prefix, base, ".tif.json")
    assert destination.item_id == item_id
    assert key_of(item_id) == destination.item_key


PARTS = st.text("ab~-. %é2F7E", min_size=1)


@given(st.lists(PARTS, max_size=3), PARTS, st.sampled_from([".tif.json", ".bands.json"]))
def test_no_two_keys_have_one_id(prefix: list[str], base: str, suffix: str) -> None:
    destination = Destination("demo", "/".join(prefix), base, suffix)
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", destination.item_id)
    assert key_of(destination.item_id) == destination.item_key


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(DownloadParamsError, match="use one of fail, replace_changed, replace"):
        read_if_exists("overwrite")
