"""The real servers for demos, tests and a kept stack: each a child process on loopback.

An S3 server, the Earth Engine emulator, PostgreSQL and Airflow itself, each a small context
manager. For development only: this package is not in the wheel.
"""
