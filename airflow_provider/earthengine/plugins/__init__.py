"""Private, may change in any release: what Airflow's pages of tasks and runs show of downloads."""
