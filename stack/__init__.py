"""The real parts that demos, tests and a kept stack run on: each a child process on loopback.

An S3 server, the Earth Engine emulator, PostgreSQL and Airflow itself, every one a small context
manager. Development only: this package is not in the wheel.
"""
