"""From an Airflow connection to a store and a registry."""
