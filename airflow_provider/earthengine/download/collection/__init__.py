"""Items of a series -> the STAC Collection beside them."""
