"""Image and parameters -> requests, rasters and tiles on the grid that Earth Engine names."""
