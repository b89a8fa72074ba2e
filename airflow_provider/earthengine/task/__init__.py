"""Private: what Airflow gives a task, and what it is told by it."""
