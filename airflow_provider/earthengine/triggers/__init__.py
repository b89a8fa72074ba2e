"""Airflow triggers that wait for Earth Engine."""
