"""What Airflow's pages show of downloads: a tab for tasks, and a contact sheet for DAG runs."""
