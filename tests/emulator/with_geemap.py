"""Downloads of geemap, by its public functions alone. Run by geemap's own Python.

It takes the emulator's URL, the id of an image, the id of a collection, and the folder to write to.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ee
import geemap
import numpy as np
from google.auth.credentials import AnonymousCredentials

BOX = [500980, 4197900, 501140, 4198000]


def main(url: str, image_id: str, collection_id: str, place: str) -> None:
    """Write what geemap downloads, and in ``told.json`` its statistics and refusals."""
    ee.Initialize(AnonymousCredentials(), url=url, project="demo")
    folder = Path(place)
    region = ee.Geometry.Rectangle(BOX, "EPSG:32610", geodesic=False)
    grid = {"scale": 10, "crs": "EPSG:32610", "region": region}
    image = ee.Image(image_id).select(["B3", "B4"])
    series = ee.ImageCollection(collection_id).limit(2).select("B4")

    geemap.ee_export_image(image, str(folder / "image.tif"), **grid)
    geemap.ee_export_image(image, str(folder / "bands.tif"), **grid, file_per_band=True)
    geemap.ee_export_image_collection(series, str(folder / "series"), **grid)
    geemap.download_ee_image(image, str(folder / "tiles.tif"), **grid)
    np.save(folder / "array.npy", geemap.ee_to_numpy(image, region=region, scale=10))
    shown = {"bands": ["B4", "B3", "B2"], "min": 0, "max": 60000}
    picture = str(folder / "picture.png")
    geemap.get_image_thumbnail(ee.Image(image_id), picture, shown, (16, 10), region=region)
    statistics = geemap.image_stats(image, region=region, scale=10).getInfo()
    refused = {
        "map": refusal(lambda: geemap.ee_tile_layer(image, {}, "layer")),
        "table": refusal(lambda: geemap.ee_export_vector(
            ee.FeatureCollection([ee.Feature(region)]), str(folder / "table.csv")
        )),
    }  # fmt: skip
    (folder / "told.json").write_text(json.dumps({"statistics": statistics, "refused": refused}))


def refusal(call: Callable[[], Any]) -> str:
    """Return the text of a refusal; what is not refused is told too."""
    try:
        return f"not refused: {call()}"
    except Exception as error:  # noqa: BLE001 (the test says what it must be)
        return str(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
