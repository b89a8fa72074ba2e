"""The function table: every function that a known client sends, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions import (
    areas,
    collection,
    columns,
    composites,
    date,
    date_parts,
    date_ranges,
    dictionaries,
    element,
    elementwise,
    filters,
    geometry,
    image,
    image_formulas,
    image_space,
    image_values,
    joined_images,
    joins,
    lists,
    masks,
    mathematics,
    numbers,
    pictures,
    place_filters,
    projection,
    reducers,
    regions,
    sequences,
    terrain,
    texts,
    time_filters,
)
from airflow_provider.earthengine.emulator.expressions.functions.signatures import Function, Session
from airflow_provider.earthengine.emulator.replies import unsupported

FUNCTIONS: Mapping[str, Function] = {
    function.name: function
    for family in (
        image,
        image_space,
        elementwise,
        mathematics,
        masks,
        image_formulas,
        image_values,
        joined_images,
        composites,
        collection,
        columns,
        lists,
        sequences,
        dictionaries,
        filters,
        time_filters,
        place_filters,
        joins,
        element,
        date,
        date_parts,
        date_ranges,
        numbers,
        texts,
        projection,
        geometry,
        areas,
        reducers,
        regions,
        terrain,
        pictures,
    )
    for function in family.FUNCTIONS
}


def invoke(session: Session, name: str, arguments: Mapping[str, Any]) -> Any:
    """Return the result of a function of the table.

    :raises ApiError: if the function is not in the table; names it.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        raise unsupported(f"the function '{name}'")
    return function.invoke(session, arguments)
