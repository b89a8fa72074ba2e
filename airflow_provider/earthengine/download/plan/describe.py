"""Image and parameters -> :class:`Description`, requested of Earth Engine.

The grid is requested, never guessed: one computation returns crs, transform and size of each band.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.download.client import ValueComputer
from airflow_provider.earthengine.download.fields.image import deep_program, prepare_request
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.plan.image_info import (
    ImageInfo,
    read_info,
    select_bands,
)
from airflow_provider.earthengine.download.transport.answers import reading_answer
from airflow_provider.earthengine.exceptions import (
    DownloadParamsError,
    EmptyImageError,
    PlanError,
    RequestRejectedError,
    SourceChangedError,
)

# A list of fewer bands cannot be what nests a program too deeply.
_FEW_BANDS = 50
_NO_IMAGE = re.compile(r"\bis not an Image\b")
_NO_SUCH_BAND = "did not match any bands"
_NO_SUCH_CRS = "The CRS of a map projection could not be parsed"
# What Earth Engine replies for an empty collection: for its composite, and for its first image.
# Source: https://github.com/swisstopo/topo-satromo/issues/101, read 2025-08.
_EMPTY_TEXTS = (
    "no bands",
    "Parameter 'input' is required",
    "Parameter 'image' is required",
)


@dataclass(frozen=True)
class Description:
    """Earth Engine's description of an image.

    :param whole: the image itself, with all its bands.
    :param asked: the requested bands, with the download parameters applied.
    """

    whole: ImageInfo
    asked: ImageInfo


def describe_image(client: ValueComputer, image: Any, params: DownloadParams) -> Description:
    """Return Earth Engine's description of the image.

    :param image: an ``ee.Image``.
    :raises DownloadParamsError: if a requested band does not exist; names the bands that do.
    :raises EmptyImageError: if the image has no bands.
    :raises PlanError: if the program with the region is too large for a request.
    :raises ServiceUnavailableError: if the answer is not a description.
    """
    import ee

    request = prepare_request(params)
    # The client accepts plain ids from its own caller, but only dicts here.
    request["bands"] = [
        {"id": band} if isinstance(band, str) else band for band in request.get("bands", [])
    ]
    # How the client applies the parameters is private to it; a second implementation here could
    # differ from it. Drop this call once the client offers it publicly.
    prepared = image._build_download_id_image(request)
    try:
        _check_payload(prepared)
        answer = client.compute_value(ee.List([image, prepared]))
    except RecursionError:
        raise _explain_depth(image, params) from None
    except RequestRejectedError as error:
        raise explain_refusal(error) from None
    with reading_answer("the image"):
        whole, asked = (read_info(each.value) for each in Foreign(answer).items(2))
    return Description(whole, select_bands(asked, params))


def check_unchanged(
    client: ValueComputer, image: Any, params: DownloadParams, info: ImageInfo
) -> None:
    """Raise if the image has changed since it was described; one without a version is not checked.

    :raises SourceChangedError: if its version has changed.
    """
    if info.version is None:
        return
    now = describe_image(client, image, params).asked
    if now.version != info.version:
        raise SourceChangedError(
            f"The image was replaced in Earth Engine (version {info.version}, now {now.version}) "
            "during the download, so its tiles may mix both versions; run the task again.",
            version=now.version,
        )


def _explain_depth(image: Any, params: DownloadParams) -> DownloadParamsError:
    """Return the error for a program with too many nested steps: the client chains the bands."""
    import ee

    try:
        ee.serializer.encode(image, for_cloud_api=True)
    except RecursionError:
        return deep_program()
    if len(params.bands) < _FEW_BANDS:
        return deep_program()
    return DownloadParamsError(
        f"bands names {len(params.bands):,} bands, more than the Earth Engine client can serialise "
        f"with format {params.file_format}; use GEO_TIFF, or fewer bands per download.",
        field="bands",
    )


def _check_payload(image: Any) -> None:
    import ee

    byte_count = len(json.dumps(ee.serializer.encode(image, for_cloud_api=True)))
    if byte_count > limits.MAX_PAYLOAD_BYTE_COUNT:
        raise PlanError(
            f"The program with its region is {byte_count:,} bytes, but a request to Earth Engine "
            f"has at most {limits.MAX_PAYLOAD_BYTE_COUNT:,}; simplify the region, or upload it as "
            "a table and pass the table's id.",
            byte_count=byte_count,
        )


def explain_refusal(
    error: RequestRejectedError,
) -> RequestRejectedError | DownloadParamsError | EmptyImageError:
    """Return the error that explains why Earth Engine refused to describe the image."""
    if any(text in error.server_text for text in _EMPTY_TEXTS):
        return EmptyImageError(
            "The image does not exist or has no bands; check whether it is computed from an empty "
            "collection.",
            server_text=error.server_text,
        )
    if _NO_SUCH_BAND in error.server_text:
        return DownloadParamsError(
            "bands names a band that the image does not have.",
            server_text=error.server_text,
            field="bands",
        )
    if _NO_IMAGE.search(error.server_text):
        return DownloadParamsError(
            "image loads an asset that is not an image; list the images of a collection with "
            "EarthEngineListImagesOperator, or combine them into one, for example with .mosaic().",
            server_text=error.server_text,
            field="image",
        )
    if _NO_SUCH_CRS in error.server_text:
        return DownloadParamsError(
            "Earth Engine does not know this crs, of download_params or of the region's GeoJSON; "
            "write one such as 'EPSG:32610'.",
            server_text=error.server_text,
            field="crs",
        )
    return error
