"""Serialised expressions -> values."""
