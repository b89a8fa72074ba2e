"""Mistakes in a catalog: each named by file and field, before anything is served."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.emulator.catalog.read_catalog import read_catalog
from airflow_provider.earthengine.emulator.strict_json import CatalogError

ASSETS = Path(__file__).parents[1] / "data/catalog/projects/demo/assets"

FORMULA_BAND = {
    "id": "b",
    "dtype": "uint16",
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 0, 0, -10, 0],
    "dimensions": [20, 10],
}


def formula(**band: Any) -> dict[str, Any]:
    return {"id": "x", "kind": "formula", "bands": [FORMULA_BAND | band]}


def file(**band: Any) -> dict[str, Any]:
    return {"id": "x", "kind": "file", "bands": [{"id": "b", "file": "dem_olinda.tif"} | band]}


@pytest.mark.parametrize(
    ("description", "field", "problem"),
    [
        ({"kind": "file"}, "id", "is missing"),
        ({"id": "x", "kind": "file"}, "bands", "is missing"),
        ({"id": "x", "kind": "file", "bands": {}}, "bands", "must be a list"),
        ({"id": "x", "kind": "video", "bands": []}, "kind", "'file', 'formula', 'coll"),
        (formula() | {"verison": 2}, "verison", "is not a known field"),
        (formula() | {"version": "2"}, "version", "must be an integer"),
        (formula() | {"properties": []}, "properties", "must be an object"),
        (formula() | {"readers": "all"}, "readers", "must be a list of texts"),
        (formula(dtype="int64"), "bands[0].dtype", "must be one of int8, uint8"),
        (formula(crs="EPSG:0"), "bands[0].crs", "could not be parsed"),
        (formula(crs_transform=[1, 0, 0]), "bands[0].crs_transform", "a list of 6 numbers"),
        (formula(crs_transform=[0] * 6), "bands[0].crs_transform", "flatten"),
        (formula(dimensions=[10, 0.5]), "bands[0].dimensions", "[width, height]"),
        (formula(noise_bits=16), "bands[0].noise_bits", "less than 16"),
        (formula(masked=[{"left": 1}]), "bands[0].masked[0].top", "is missing"),
        (formula(colour="red"), "bands[0].colour", "is not a known field"),
        (
            {"id": "x", "kind": "formula", "bands": [FORMULA_BAND, FORMULA_BAND]},
            "bands[1].id",
            "described twice",
        ),
        (file(), "bands[0].crs", "does not name an EPSG code"),
        (file(crs="EPSG:31985", index=2), "bands[0].index", "has 1 bands, not 2"),
        (file(file="none.tif"), "bands[0].file", "cannot be read"),
    ],
)
def test_a_mistake_is_named_by_file_and_field(
    tmp_path: Path, description: dict[str, Any], field: str, problem: str
) -> None:
    shutil.copy(ASSETS / "dem_olinda.tif", tmp_path)
    path = tmp_path / "deep" / "x.json" if description.get("kind") == "video" else None
    path = path or tmp_path / "x.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(description))
    with pytest.raises(CatalogError) as caught:
        read_catalog(tmp_path)
    assert str(caught.value).startswith(f"{path}: {field}: ")
    assert problem in str(caught.value)


def test_two_descriptions_of_one_asset_are_a_mistake(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(formula()))
    with pytest.raises(CatalogError, match=r"b\.json: id: 'x' is described twice"):
        read_catalog(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"accounts": [{"email": "e"}]}'])
def test_a_broken_file_of_accounts_is_a_mistake(tmp_path: Path, content: str) -> None:
    path = tmp_path / "service_accounts.json"
    path.write_text(content)
    with pytest.raises(CatalogError) as caught:
        read_catalog(tmp_path)
    assert str(path) in str(caught.value)


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path: Path) -> None:
    account = {"email": "e", "public_key": "-----BEGIN PRIVATE KEY-----"}
    content = json.dumps({"accounts": [account]})
    (tmp_path / "service_accounts.json").write_text(content)
    with pytest.raises(CatalogError, match="must be a public key"):
        read_catalog(tmp_path)


def test_a_catalog_that_is_no_directory_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="is not a directory"):
        read_catalog(tmp_path / "none")
