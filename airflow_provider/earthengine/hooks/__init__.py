"""The Airflow hook for Earth Engine."""
