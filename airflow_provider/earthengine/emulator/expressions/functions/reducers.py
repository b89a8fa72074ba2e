"""Functions that make reducers: what many values become."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import Reducer
from airflow_provider.earthengine.emulator.values.statistics import (
    STATISTICS,
    percentile_statistic,
)

# The names of outputs that differ from those of their reducers.
# Source: the descriptions in the algorithm list.
_OUTPUTS = {"allNonZero": "all", "anyNonZero": "any"}


def _to_list(session: Session, arguments: Arguments) -> Reducer:
    size, optional = arguments["tupleSize"], int(arguments["numOptional"])
    if size is None and not optional:
        return Reducer("toList")
    if size is None or not 0 <= optional <= size or size < 1:
        raise invalid_argument("Reducer.toList: 'numOptional' must be at most 'tupleSize'.")
    return Reducer("toList", int(size), is_tuples=True, optional=optional)


def _repeat(session: Session, arguments: Arguments) -> Reducer:
    reducer: Reducer = arguments["reducer"]
    if reducer.inputs != 1 or reducer.is_tuples:
        raise unsupported("Reducer.repeat of a reducer of several columns")
    return Reducer(reducer.name, int(arguments["count"]), is_repeated=True)


def _percentile(session: Session, arguments: Arguments) -> Reducer:
    percents, names = arguments["percentiles"], arguments["outputNames"]
    if not percents or not all(0 <= percent <= 100 for percent in percents):
        raise invalid_argument("Reducer.percentile: Percentiles must be numbers from 0 to 100.")
    if names is None:
        names = [f"p{percent:g}" for percent in percents]
    if len(names) != len(percents):
        raise invalid_argument(
            f"Reducer.percentile: {len(percents)} percentiles need as many names, not {len(names)}."
        )
    statistics = map(percentile_statistic, percents)
    return Reducer("percentile", outputs=tuple(zip(names, statistics, strict=True)))


def _combine(session: Session, arguments: Arguments) -> Reducer:
    first, second = arguments["reducer1"], arguments["reducer2"]
    if not arguments["sharedInputs"] or not (first.outputs and second.outputs):
        raise unsupported("Reducer.combine but of statistics with shared inputs")
    prefix = arguments["outputPrefix"]
    added = tuple((f"{prefix}{name}", statistic) for name, statistic in second.outputs)
    names = [name for name, _ in (*first.outputs, *added)]
    if len(set(names)) != len(names):
        raise invalid_argument(f"Reducer.combine: Duplicate output names: {names}.")
    return Reducer(f"{first.name}+{second.name}", outputs=(*first.outputs, *added))


def _unweighted(session: Session, arguments: Arguments) -> Reducer:
    reducer: Reducer = arguments["reducer"]
    outputs = tuple(
        (name, replace(statistic, is_weighted=False)) for name, statistic in reducer.outputs
    )
    return replace(reducer, outputs=outputs)


def _statistic(name: str, sent_by: str, parameters: tuple[Parameter, ...] = ()) -> Function:
    made = Reducer(name, outputs=((_OUTPUTS.get(name, name), STATISTICS[name]),))

    def call(session: Session, arguments: Arguments) -> Reducer:
        return made

    return Function(f"Reducer.{name}", parameters, "Reducer", sent_by, call)


def _min_max(session: Session, arguments: Arguments) -> Reducer:
    return Reducer("minMax", outputs=(("max", STATISTICS["max"]), ("min", STATISTICS["min"])))


_SUMMARY = "a DAG that summarizes bands, images or a region"
_INPUTS = (Parameter("numInputs", "Integer", 1.0, is_served=False),)
# How the real service finds percentiles of many values; here they are exact.
_BUCKETS = (
    Parameter("maxBuckets", "Integer", None),
    Parameter("minBucketWidth", "Float", None),
    Parameter("maxRaw", "Integer", None),
)

FUNCTIONS = (
    Function(
        "Reducer.toList",
        (Parameter("tupleSize", "Integer", None), Parameter("numOptional", "Integer", 0)),
        "Reducer",
        "xee when a collection is opened; geedim and EarthEngineListImagesOperator, to list one",
        _to_list,
    ),
    Function(
        "Reducer.repeat",
        (Parameter("reducer", "Reducer"), Parameter("count", "Integer")),
        "Reducer",
        "xee when a collection is opened; geedim, to list a collection",
        _repeat,
    ),
    Function("Reducer.minMax", (), "Reducer", "geedim, for the time of a composite", _min_max),
    _statistic("allNonZero", "geedim, for the fill mask of the images of a composite"),
    _statistic("anyNonZero", "the provider, if it sees no valid pixel"),
    *(_statistic(name, _SUMMARY) for name in ("mean", "sum", "count", "stdDev", "variance")),
    _statistic("first", _SUMMARY),
    _statistic("min", _SUMMARY, _INPUTS),
    _statistic("max", _SUMMARY, _INPUTS),
    _statistic("median", _SUMMARY, _BUCKETS),
    Function(
        "Reducer.percentile",
        (
            Parameter("percentiles", "List<Number>"),
            Parameter("outputNames", "List<String>", None),
            *_BUCKETS,
        ),
        "Reducer",
        _SUMMARY,
        _percentile,
    ),
    Function(
        "Reducer.unweighted",
        (Parameter("reducer", "Reducer"),),
        "Reducer",
        _SUMMARY,
        _unweighted,
    ),
    Function(
        "Reducer.combine",
        (
            Parameter("reducer1", "Reducer"),
            Parameter("reducer2", "Reducer"),
            Parameter("outputPrefix", "String", ""),
            Parameter("sharedInputs", "Boolean", False),
        ),
        "Reducer",
        _SUMMARY,
        _combine,
    ),
)
