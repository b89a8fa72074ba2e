"""Airflow operators that ask which downloads there are to make."""
