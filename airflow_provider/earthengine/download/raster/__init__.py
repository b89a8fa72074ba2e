"""Bodies -> verified pixels -> cloud-optimised GeoTIFFs."""
