"""Download rasters from Google Earth Engine, verify them, and publish them to S3 with a record."""

__version__ = "0.1.0"
