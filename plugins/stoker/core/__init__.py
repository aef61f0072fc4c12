"""Pure decisions and records. Standard library only: no Airflow, no network, no clock of its own."""
