"""Task decorators for Earth Engine."""
