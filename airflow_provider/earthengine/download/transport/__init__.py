"""Requests to Earth Engine: connections, retries, the meaning of answers, redaction."""
