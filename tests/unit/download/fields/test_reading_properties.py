"""Whatever a user writes is read as parameters, or refused with a sentence: never anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.download.fields.params import FORMATS
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.exceptions import DownloadParamsError
from tests.support.drawn import examples

KEYS = (
    "name", "bands", "crs", "crs_transform", "dimensions", "scale", "region", "filePerBand",
    "format",
)  # fmt: skip
BAND_KEYS = ("id", "crs", "crs_transform", "dimensions", "scale")

numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 1, 10, 20, 30.5, -1]))
texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["B3", "B3,B8", "20", "10x20", "true", "[1, 2]", "EPSG:4326", "GEO_TIFF", "[", "{}", "a/b"]
    ),
)
atoms = st.one_of(st.none(), st.booleans(), numbers, texts)
anything = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(texts, st.sampled_from(["type", "coordinates"])), inner),
    ),
    max_leaves=12,
)

positions = st.tuples(st.integers(-170, 170), st.integers(-80, 80)).map(list)
regions: st.SearchStrategy[Any] = st.one_of(
    st.lists(positions, min_size=3, max_size=5),
    st.lists(positions, min_size=3, max_size=5).map(
        lambda ring: {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    ),
    st.just([5, 43, 5.1, 43.1]),
)
plausible: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["scene", "a-b", "x" * 201, "a/b"]),
    "crs": st.sampled_from(["EPSG:4326", "EPSG:32610", "EPSG:0"]),
    "crs_transform": st.lists(st.sampled_from([0, 10, -10, 500_000.5]), min_size=5, max_size=7),
    "dimensions": st.one_of(st.integers(0, 40_000), st.lists(st.integers(0, 99), max_size=3)),
    "scale": st.one_of(st.floats(0.1, 1e6), st.sampled_from(["20", 0, -5])),
    "region": regions,
    "filePerBand": st.sampled_from([True, False, "false", 2]),
    "format": st.sampled_from([*FORMATS, "geo_tiff", "JPEG"]),
    "id": st.sampled_from(["B3", "B8", "B11"]),
}
bands = st.one_of(
    st.lists(plausible["id"], max_size=3),
    st.lists(
        st.fixed_dictionaries(
            {"id": plausible["id"]}, optional={key: plausible[key] for key in BAND_KEYS[1:]}
        ),
        max_size=3,
    ),
)
# Mostly accepted: what is left to refuse are parameters that contradict each other.
sides = st.integers(1, 99)
own_grid: dict[str, st.SearchStrategy[Any]] = {
    "crs": plausible["crs"],
    "crs_transform": st.tuples(sides, sides).map(lambda s: [s[0], 0, 500_000.5, 0, -s[1], 41]),
    "dimensions": st.one_of(sides, st.lists(sides, min_size=2, max_size=2)),
    "scale": st.floats(0.1, 1e6),
}
sensible = st.fixed_dictionaries(
    {
        "bands": st.lists(
            st.fixed_dictionaries({"id": plausible["id"]}, optional={"scale": own_grid["scale"]}),
            min_size=1, max_size=3, unique_by=lambda band: band["id"],
        ),
        "crs": plausible["crs"],
    },
    optional={
        "name": st.just("scene"), "region": st.just([5, 43, 5.1, 43.1]),
        "crs_transform": own_grid["crs_transform"], "dimensions": own_grid["dimensions"],
        "scale": own_grid["scale"], "filePerBand": st.booleans(),
    },
)  # fmt: skip
wild = st.dictionaries(st.one_of(st.sampled_from([*KEYS, "id", "image"]), texts), anything)
tame = st.fixed_dictionaries(
    {}, optional={"bands": bands, **{key: plausible[key] for key in KEYS if key != "bands"}}
)
mixed = st.builds(lambda known, odd: {**known, **odd}, tame, st.dictionaries(
    st.sampled_from(KEYS), anything, max_size=1))  # fmt: skip


@pytest.mark.slow
@examples(400)
@given(st.one_of(wild, tame, mixed))
def test_any_dict_is_read_or_refused_in_one_short_sentence(given: dict[str, Any]) -> None:
    before, refusal = repr(given), "said nothing"
    try:
        request = read_params(given).to_request()
    except DownloadParamsError as error:
        refusal = str(error)
    else:
        json.dumps(request, allow_nan=False)
        assert None not in request.values()
    assert 0 < len(refusal) < 600
    assert "\n" not in refusal
    assert repr(given) == before


@examples(200)
@given(st.one_of(sensible, tame))
def test_what_is_sent_is_read_as_the_same_again(given: dict[str, Any]) -> None:
    try:
        request = read_params(given).to_request()
    except DownloadParamsError:
        return
    again = read_params(request)
    assert again.to_request() == request


@examples(200)
@given(st.one_of(sensible, tame))
def test_json_text_of_every_value_means_the_same(given: dict[str, Any]) -> None:
    try:
        wanted = read_params(given).to_request()
    except DownloadParamsError:
        return
    texts = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()
    }
    assert read_params(texts).to_request() == wanted
    assert read_params(json.dumps(given)).to_request() == wanted
