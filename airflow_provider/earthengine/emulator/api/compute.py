"""Bodies of computation requests -> plans and values. Knows nothing of HTTP."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from airflow_provider.earthengine.emulator.api.asset_documents import asset_id_of
from airflow_provider.earthengine.emulator.api.downloads import (
    ZIPPED,
    ZIPPED_PER_BAND,
    Download,
    plan_download,
)
from airflow_provider.earthengine.emulator.api.payloads import (
    as_result,
    parse_body,
    require_image,
    take_text,
    take_texts,
)
from airflow_provider.earthengine.emulator.api.requested_grids import read_grid
from airflow_provider.earthengine.emulator.expressions.evaluate import evaluate
from airflow_provider.earthengine.emulator.expressions.functions import invoke
from airflow_provider.earthengine.emulator.expressions.functions.signatures import Session
from airflow_provider.earthengine.emulator.formats.kept_files import request_digest
from airflow_provider.earthengine.emulator.replies import bad_field, unsupported
from airflow_provider.earthengine.emulator.values.images import Image

# The default format of a request.
# Source: https://developers.google.com/earth-engine/reference/rest/v1/ImageFileFormat (2025-08).
_UNSPECIFIED = "IMAGE_FILE_FORMAT_UNSPECIFIED"


def plan_thumbnail(content: bytes, session: Session) -> tuple[Download, dict[str, Any]]:
    """Return the download of a new thumbnail, and the request's fields."""
    fields = parse_body(
        content,
        ["expression", "fileFormat", "bandIds", "filenamePrefix", "grid"],
        ["name", "visualizationOptions"],
    )
    image = require_image(_evaluate(fields, session))
    prefix = take_text(fields, "filenamePrefix")
    return _plan(image, fields, prefix), fields


def plan_computed_pixels(content: bytes, session: Session) -> Download:
    """Return the download for ``image:computePixels``."""
    fields = parse_body(
        content,
        ["expression", "fileFormat", "bandIds", "grid", "workloadTag"],
        ["visualizationOptions"],
    )
    _refuse_zip(fields)
    return _plan(require_image(_evaluate(fields, session)), fields, None)


def plan_asset_pixels(content: bytes, name: str, session: Session) -> Download:
    """Return the download for ``getPixels`` of an asset.

    :param name: the asset's resource name.
    """
    fields = parse_body(
        content,
        ["fileFormat", "bandIds", "grid", "workloadTag"],
        ["region", "visualizationOptions"],
    )
    _refuse_zip(fields)
    return _plan(session.load_image(asset_id_of(name)), fields, None, name)


def compute_value(content: bytes, session: Session) -> Any:
    """Return the result of ``value:compute``."""
    fields = parse_body(content, ["expression", "workloadTag"])
    return as_result(_evaluate(fields, session))


def _evaluate(fields: dict[str, Any], session: Session) -> Any:
    if "expression" not in fields:
        raise bad_field("expression", "Expression is required.")
    return evaluate(fields["expression"], partial(invoke, session))


def _plan(image: Image, fields: dict[str, Any], prefix: str | None, name: str = "") -> Download:
    projections = {band.projection for band in image.bands}
    own = projections.pop() if len(projections) == 1 else None
    band_ids = take_texts(fields, "bandIds")
    if own is None and band_ids:
        chosen = {band.projection for band in image.bands if band.id in band_ids}
        own = chosen.pop() if len(chosen) == 1 else None
    grid = read_grid(fields.get("grid"), own)
    file_format = fields.get("fileFormat", _UNSPECIFIED)
    download = plan_download(image, file_format, band_ids, prefix, grid)
    return replace(download, digest=request_digest(fields, name))


def _refuse_zip(fields: dict[str, Any]) -> None:
    """Refuse zipped formats, which are documented for thumbnails only."""
    if fields.get("fileFormat") in {ZIPPED, ZIPPED_PER_BAND}:
        raise unsupported(f"the file format {fields['fileFormat']} but for thumbnails")
