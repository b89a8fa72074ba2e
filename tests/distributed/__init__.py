"""Tests of a scheduled Airflow, a package so that it is stopped behind the last of them."""
