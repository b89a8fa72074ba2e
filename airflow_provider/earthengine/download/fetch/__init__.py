"""Requests -> bodies and tiles on disk, side by side, retried and resumed."""
