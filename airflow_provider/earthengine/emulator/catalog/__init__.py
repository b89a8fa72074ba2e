"""The catalog: described assets, their stored pixels, series and tables."""
