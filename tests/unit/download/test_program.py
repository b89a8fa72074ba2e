"""Which assets a program loads, and which of its bands are bands of an asset."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider.earthengine.download.program import BandOrigin, assets_of, origins_of

Node = dict[str, Any]


def call(name: str, **arguments: Any) -> Node:
    return {"functionInvocationValue": {"functionName": name, "arguments": arguments}}


def constant(value: Any) -> Node:
    return {"constantValue": value}


def load(asset_id: str) -> Node:
    return call("Image.load", id=constant(asset_id))


def select(image: Node, selectors: Any, names: Any = None) -> Node:
    renamed = {} if names is None else {"newNames": constant(names)}
    return call("Image.select", input=image, bandSelectors=constant(selectors), **renamed)


def program(node: Node, **values: Node) -> Node:
    return {"result": "0", "values": {"0": node, **values}}


def origins(node: Node, *band_ids: str, **values: Node) -> dict[str, tuple[str, str]]:
    found = origins_of(program(node, **values), band_ids)
    return {name: (each.asset_id, each.band_id) for name, each in found.items()}


A, B = load("COLLECTION/a"), load("COLLECTION/b")


def test_a_band_of_an_asset_is_itself() -> None:
    assert origins(A, "B4") == {"B4": ("COLLECTION/a", "B4")}
    assert origins_of(program(A), ("B4",))["B4"] == BandOrigin("COLLECTION/a", "B4")


def test_a_band_that_is_selected_under_another_name_is_the_one_that_it_was() -> None:
    image = select(A, ["B4", "B3"], ["red", "green"])
    assert origins(image, "red", "green", "B4") == {
        "red": ("COLLECTION/a", "B4"),
        "green": ("COLLECTION/a", "B3"),
    }


def test_names_follow_each_other_through_select_and_rename() -> None:
    image = call("Image.rename", input=select(A, ["B4", "B3"]), names=constant(["x", "y"]))
    assert origins(select(image, ["y"], ["z"]), "z") == {"z": ("COLLECTION/a", "B3")}


def test_joined_bands_keep_their_origins() -> None:
    image = call("Image.addBands", dstImg=select(A, ["B4"]), srcImg=select(B, ["B3"]))
    assert origins(image, "B4", "B3") == {
        "B4": ("COLLECTION/a", "B4"),
        "B3": ("COLLECTION/b", "B3"),
    }


def test_the_first_of_two_bands_of_one_name_keeps_it() -> None:
    image = call("Image.addBands", dstImg=select(A, ["B4"]), srcImg=select(B, ["B4"]))
    assert origins(image, "B4", "B4_1") == {"B4": ("COLLECTION/a", "B4")}
    # Here, it is not known whether there are two.
    image = call("Image.addBands", dstImg=A, srcImg=select(B, ["B4"]))
    assert origins(image, "B3", "B4", "B4_1") == {"B3": ("COLLECTION/a", "B3")}


def test_an_index_that_is_added_hides_no_other_band() -> None:
    index = call("Image.rename", input=call("Image.add", image1=A, image2=B), names=constant("i"))
    image = call("Image.addBands", dstImg=A, srcImg=index)
    # Whether the asset has a band of the index's name, and which is which then, is not known.
    assert origins(image, "B4", "i", "i_1") == {"B4": ("COLLECTION/a", "B4")}
    image = call("Image.addBands", dstImg=select(A, ["B4"]), srcImg=index)
    assert origins(image, "B4", "i") == {"B4": ("COLLECTION/a", "B4")}
    unnamed = call("Image.add", image1=A, image2=B)
    image = call("Image.addBands", dstImg=select(A, ["B4"], ["red"]), srcImg=unnamed)
    assert origins(image, "B4", "red") == {"red": ("COLLECTION/a", "B4")}


def test_properties_and_outlines_change_no_origin() -> None:
    image = call("Element.set", object=A, key=constant("k"), value=constant(1))
    image = call("Element.copyProperties", destination=image, source=B)
    image = call("Image.clip", input=image, geometry=constant(None))
    assert origins(image, "B4") == {"B4": ("COLLECTION/a", "B4")}


@pytest.mark.parametrize(
    "image",
    [
        call("Image.add", image1=A, image2=B),
        call("Collection.first", collection=call("ImageCollection.load", id=constant("C"))),
        select(A, ["B."]),
        select(A, [0]),
        select(A, ["B4", "B4"]),
        select(A, ["B4", "B3"], ["one"]),
        select(A, ["B.*"], ["B4"]),
        select(select(A, ["B3"]), ["B4"]),
        call("Image.rename", input=A, names=constant(["B4"])),
        call(
            "Image.addBands",
            dstImg=select(A, ["B4"]),
            srcImg=select(B, ["B3"]),
            overwrite=constant(True),
        ),
        call("Image.load", id=call("String.cat", string1=constant("a"), string2=constant("b"))),
        {"valueReference": "0"},
        {"valueReference": "absent"},
        {"valueReference": ["0"]},
        {"functionInvocationValue": []},
        {"functionInvocationValue": {"functionName": {}, "arguments": 3}},
    ],
)
def test_of_a_computed_or_broken_band_no_origin_is_claimed(image: Node) -> None:
    assert origins(image, "B4", "B4_1", "one") == {}


def test_a_renamed_pattern_is_not_understood_even_where_names_are_known() -> None:
    image = select(select(A, ["B4", "B3"]), ["B.*"], ["x"])
    assert origins(image, "x") == {}


def test_a_program_that_shares_its_parts_is_traced_once() -> None:
    values: dict[str, Node] = {"1": select(A, ["a", "b"])}
    # Traced anew at each of 60 levels, this takes longer than the universe has.
    for number in range(2, 62):
        shared = {"valueReference": str(number - 1)}
        values[str(number)] = call(
            "Image.addBands", dstImg=select(shared, ["b"]), srcImg=select(shared, ["a"])
        )
    assert origins({"valueReference": "61"}, "a", **values) == {"a": ("COLLECTION/a", "a")}


def test_every_asset_that_is_loaded_is_found_once_and_in_order() -> None:
    table = call("Collection.loadTable", tableId=constant("TABLES/t"))
    image = call(
        "Image.addBands",
        dstImg=call("Image.clipToCollection", input=A, collection=table),
        srcImg=call("Image.add", image1={"valueReference": "c"}, image2=A),
    )
    collection = call("ImageCollection.load", id={"valueReference": "name"})
    shared = {"c": call("Collection.first", collection=collection), "name": constant("COLLECTION")}
    # In the order of the program's text: what is referred to stands behind.
    assert assets_of(program(image, **shared)) == ("COLLECTION/a", "TABLES/t", "COLLECTION")


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"result": "0"},
        {"result": [], "values": []},
        program({"functionInvocationValue": {"functionName": "Image.load"}}),
        program(call("Image.load", id=constant(7))),
        program({"arrayValue": {"values": [1, None]}}),
    ],
)
def test_a_program_that_is_none_has_no_assets(broken: Node) -> None:
    assert assets_of(broken) == ()
    assert origins_of(broken, ("B4",)) == {}
