"""Takes rasters out of Google Earth Engine and puts them, checked and recorded, into object storage."""

__version__ = "0.1.0"
