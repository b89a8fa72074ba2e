"""A strict, independent stand-in for Earth Engine's REST API.

It answers unmodified clients over a real socket, from a directory of asset descriptions, and
refuses by name anything that it does not know. It shares no code with the rest of the provider, so
that a mistake in one cannot hide in the other.
"""
