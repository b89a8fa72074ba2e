"""What is downloaded: an asset id, a serialised expression, or a function that makes the image.

Reading the field handles plain text; ``ee`` is imported only where an ``ee.Image`` is created, and
the session that this needs is opened elsewhere.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.download.fields.asset_id import find_asset_id
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.values import read_json, shown, shown_names
from airflow_provider.earthengine.exceptions import DownloadParamsError

# A program that the client writes has some fifty levels.
_MAX_DEPTH = 500


@dataclass(frozen=True)
class ImageSource:
    """An image, given by its program.

    :param expression: the program: the output of ``ee.Image.serialize()``, parsed.
    :param asset_id: the asset, if the program only loads one.
    """

    expression: Mapping[str, Any]
    asset_id: str | None = None

    @property
    def name(self) -> str:
        """The last part of the asset's id, or "download" for a computed image."""
        return self.asset_id.rsplit("/", 1)[-1] if self.asset_id else "download"

    def to_ee(self) -> Any:
        """Return the ``ee.Image``; needs an initialised session."""
        import ee

        if self.asset_id:
            return ee.Image(self.asset_id)
        try:
            value = ee.deserializer.decode(self.expression)
        except Exception as error:  # noqa: BLE001 - whatever the client's reader stumbles over
            reason = shown_names([" ".join(f"{type(error).__name__}: {error}".split())])
            raise DownloadParamsError(
                f"image is an expression that cannot be decoded ({reason}); pass the output of "
                "ee.Image.serialize().",
                field="image",
            ) from None
        if not isinstance(value, ee.ComputedObject) or isinstance(
            value, ee.ImageCollection | ee.FeatureCollection | ee.Geometry
        ):
            raise DownloadParamsError(
                f"image is an expression of {_kind(value)}; pass one of an image.", field="image"
            )
        return ee.Image(value)


# Airflow imports a DAG file under its own name, with the hash of the file's path before it. Source:
# https://github.com/apache/airflow, ``get_unique_dag_module_name``, release 3.3.2.
_DAG_MODULE = re.compile(r"^unusual_prefix_[0-9a-f]+_")


@dataclass(frozen=True)
class ImageFunction:
    """A function that makes the image, wrapped so that it is not called too early.

    Airflow calls any callable in a templated field while it renders the field.
    """

    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """The function's name, as shown in errors and in Airflow's UI."""
        return str(getattr(self.function, "__qualname__", type(self.function).__qualname__))

    def __str__(self) -> str:
        """Return text that is the same each time the DAG file is parsed, and everywhere."""
        module = getattr(self.function, "__module__", "") or ""
        return f"{_DAG_MODULE.sub('', module)}.{self.name}"


def read_image(value: Any) -> ImageSource:
    """Return the image that the operator's field describes.

    :param value: an asset id, or the output of ``ee.Image.serialize()``, as JSON text or parsed. A
        function goes to :func:`call_image_function`.
    :raises DownloadParamsError: if it is neither.
    """
    value = read_json("image", value, _MAX_DEPTH, any_text=True)
    if isinstance(value, Mapping):
        return _read_expression(value)
    asset_id = find_asset_id(value)
    if asset_id:
        return ImageSource(_load_expression(asset_id), asset_id)
    raise DownloadParamsError(
        f"image is {shown(value)}; write an asset id such as 'USGS/SRTMGL1_003', or pass the "
        "output of ee.Image.serialize().",
        field="image",
    )


def call_image_function(
    maker: ImageFunction, image_kwargs: Mapping[str, Any], context: Mapping[str, Any]
) -> ImageSource:
    """Return the image that a user's function makes; needs an initialised session.

    :param image_kwargs: passed as keyword arguments.
    :param context: the source of the function's other parameters, by name.
    :raises DownloadParamsError: if a parameter is in neither, or the function returns no image.
    """
    import ee

    image = maker.function(**image_kwargs, **_named_in(maker, image_kwargs, context))
    if not isinstance(image, ee.Image):
        raise DownloadParamsError(
            f"The image function {maker.name} returned {_kind(image)}; return an ee.Image.",
            field="image",
        )
    try:
        return _read_expression(ee.serializer.encode(image, for_cloud_api=True))
    except RecursionError:
        raise deep_program() from None


def deep_program() -> DownloadParamsError:
    """Return the error for a program with too many nested steps."""
    return DownloadParamsError(
        "image is a program with more nested steps than the Earth Engine client can serialise; "
        "repeat steps on the server, for example with ee.ImageCollection.map or "
        "ee.List.iterate.",
        field="image",
    )


def prepare_request(params: DownloadParams) -> dict[str, Any]:
    """Return the parameters as ``ee`` takes them; needs an initialised session.

    If the region is the id of a table, it becomes the geometry of the table's features.
    """
    import ee

    request = params.to_request()
    if isinstance(params.region, str):
        request["region"] = ee.FeatureCollection(params.region).geometry()
    return request


def check_arguments(maker: ImageFunction, given: Mapping[str, Any]) -> None:
    """Raise if the function does not take one of these arguments.

    :raises DownloadParamsError: if it does not; names them.
    """
    parameters = _parameters(maker)
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    unknown = set(given) - {each.name for each in parameters if _goes_by_name(each)}
    if unknown and not takes_any:
        raise DownloadParamsError(
            f"image_kwargs has {shown_names(sorted(unknown))}, which the image function "
            f"{maker.name} does not take.",
            field="image_kwargs",
        )


def arguments_without_function() -> DownloadParamsError:
    """Return the error for arguments of an image that is not a function."""
    return DownloadParamsError(
        "image_kwargs is given, but image is not a function; leave image_kwargs out.",
        field="image_kwargs",
    )


def _parameters(maker: ImageFunction) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(maker.function).parameters.values())
    except (TypeError, ValueError):  # Some of what is built in has no signature.
        raise DownloadParamsError(
            f"The parameters of the image function {maker.name} are unknown; call it in a function "
            "of your own.",
            field="image",
        ) from None


def _goes_by_name(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def _named_in(
    maker: ImageFunction, given: Mapping[str, Any], context: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values of the function's parameters that come from the context."""
    check_arguments(maker, given)
    by_name = filter(_goes_by_name, _parameters(maker))
    wanted = [each for each in by_name if each.name not in given]
    missing = [
        each.name for each in wanted if each.default is each.empty and each.name not in context
    ]
    if missing:
        raise DownloadParamsError(
            f"The image function {maker.name} has the parameter {', '.join(missing)}, for which "
            "this run has no value (a run without a date has no ds and no data interval, for "
            "example); pass it in image_kwargs, or give the parameter a default.",
            field="image",
        )
    return {each.name: context[each.name] for each in wanted if each.name in context}


def _asset_id_of(expression: Mapping[str, Any]) -> str | None:
    """Return the asset's id if the program only loads one; a program may hold anything."""
    invocation = _part_of(expression["values"][expression["result"]], "functionInvocationValue")
    arguments = _part_of(invocation, "arguments")
    if invocation.get("functionName") != "Image.load" or set(arguments) != {"id"}:
        return None
    asset_id = _part_of(arguments, "id").get("constantValue")
    # The id becomes part of object names.
    return asset_id if find_asset_id(asset_id) == asset_id else None


def _part_of(value: Any, key: str) -> Mapping[str, Any]:
    part = value.get(key) if isinstance(value, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _read_expression(value: Mapping[str, Any]) -> ImageSource:
    values, result = value.get("values"), value.get("result")
    if not isinstance(values, Mapping) or not isinstance(result, str) or result not in values:
        raise DownloadParamsError(
            f"image is a dict whose result is not among its values: {shown(dict(value))}; pass "
            "the output of ee.Image.serialize().",
            field="image",
        )
    return ImageSource(value, _asset_id_of(value))


def _load_expression(asset_id: str) -> dict[str, Any]:
    """Return the program that ``ee.Image(asset_id)`` serialises to, without importing ``ee``."""
    load = {"functionName": "Image.load", "arguments": {"id": {"constantValue": asset_id}}}
    return {"result": "0", "values": {"0": {"functionInvocationValue": load}}}


def _kind(value: Any) -> str:
    if not hasattr(value, "name"):
        return f"the constant {shown(value)}"
    name = value.name()
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
