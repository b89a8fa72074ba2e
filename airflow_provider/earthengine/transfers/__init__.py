"""Airflow operators that move data out of Earth Engine."""
