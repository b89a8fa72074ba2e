"""Pixels -> bodies: GeoTIFF, zip, NPY, pictures."""
