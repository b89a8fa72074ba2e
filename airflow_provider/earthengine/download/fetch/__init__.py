"""Requests -> bodies and tiles on disk, fetched concurrently, retried and resumed."""
