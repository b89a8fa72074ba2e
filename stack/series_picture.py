"""A year of ``dags/ndvi_series.py``, drawn from its cube, for the documentation.

Its pixels are those of the demo's catalog, which are computed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.demo.servers import BUCKET, Ports, running_servers
from airflow_provider.earthengine.download.fields.image import ImageFunction
from airflow_provider.earthengine.download.fields.job import DownloadFields
from airflow_provider.earthengine.items import open_items
from airflow_provider.earthengine.task.standalone import Connections, download_alone
from stack.airflow import DAGS_FOLDER
from stack.environment import PROJECT_FOLDER

PICTURE = PROJECT_FOLDER / "docs" / "ndvi_series.png"
YEAR = 2021
COLLECTION = "COPERNICUS/S2_SR_HARMONIZED"


def write_series_picture(path: Path = PICTURE, months: Sequence[int] = range(1, 13)) -> None:
    """Download months of the series, and draw each of them."""
    example = _example()
    with (
        tempfile.TemporaryDirectory(prefix="picture-") as folder,
        running_servers(Ports(), Path(folder) / "s3") as servers,
    ):
        os.environ.update(servers.variables)
        for name in example.REGIONS:
            for month in months:
                download_alone(_fields_of(example, name, f"{YEAR}-{month:02}"), Connections())
        _draw(path, list(example.REGIONS), len(months))


def _example() -> Any:
    """Return the module of the example DAG."""
    spec = spec_from_file_location("ndvi_series", DAGS_FOLDER / "ndvi_series.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _fields_of(example: Any, name: str, month: str) -> DownloadFields:
    """Return the download of a region and a month, as the example's task makes it."""
    return DownloadFields(
        image=ImageFunction(example.ndvi_of_month),
        image_kwargs={"collection": COLLECTION, "month": month},
        download_params={
            **example.LATTICE,
            "name": name,
            "region": example.REGIONS[name],
            "format": "GEO_TIFF",
        },
        s3_bucket=BUCKET,
        s3_prefix=f"{example.PREFIX}/{month}",
        nodata=-9999,
        record={"datetime": f"{month}-01"},
        collection={"id": "ndvi-series", "prefix": example.PREFIX},
    )


def _draw(path: Path, names: Sequence[str], count: int) -> None:
    """Draw a row for each region, and a column for each month."""
    import odc.stac
    from matplotlib import pyplot

    figure, rows = pyplot.subplots(
        len(names), count, figsize=(count, len(names) * 1.1), squeeze=False, layout="constrained"
    )
    shown: Any = None
    for name, row in zip(names, rows, strict=True):
        with open_items(f"s3://{BUCKET}/ndvi_series") as items:
            own = [item for item in items if f"~{name}." in item.id]
            cube = odc.stac.load(own, bands=["ndvi"], chunks={}).load()
        row[0].set_ylabel(name.replace("_", "\n"), fontsize=7)
        for axes, month in zip(row, cube.ndvi, strict=True):
            shown = axes.imshow(
                month.where(month != month.nodata), vmin=-0.2, vmax=0.9, cmap="YlGn"
            )
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(month.time.dt.strftime("%Y-%m").item(), fontsize=7)
    figure.colorbar(shown, ax=rows, label="NDVI", shrink=0.8)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
