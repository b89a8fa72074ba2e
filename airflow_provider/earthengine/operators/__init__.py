"""Airflow operators that list the downloads to make."""
