"""Private, may change in any release: what Airflow gives a task, and learns from it."""
