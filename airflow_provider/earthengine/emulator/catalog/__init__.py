"""The catalogue: assets as described, their stored pixels, series and tables."""
