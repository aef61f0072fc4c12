"""Pages and JSON behind Airflow's own login."""
