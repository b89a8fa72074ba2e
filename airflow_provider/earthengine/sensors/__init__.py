"""Airflow sensors that wait for Earth Engine."""
