"""One raster in sections: rows of tiles that separate tasks fetch, and one task puts together."""
