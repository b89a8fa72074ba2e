"""Takes rasters out of Earth Engine and puts them, checked and recorded, into object storage."""

__version__ = "0.1.0"
