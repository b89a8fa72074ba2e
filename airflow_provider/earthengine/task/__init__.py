"""Private, may change in any release: what tasks take from Airflow, and report to it."""
