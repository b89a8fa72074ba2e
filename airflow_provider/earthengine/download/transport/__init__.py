"""How requests reach Earth Engine: connections, retries, what answers mean, redaction."""
