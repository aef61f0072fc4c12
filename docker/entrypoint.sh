#!/bin/sh
# Waits until the role can work, then becomes it. Only the service "init" changes the database.
set -eu

case "$*" in
  "init")
    airflow db check --retry 30 --retry-delay 2
    airflow db migrate
    python /opt/airflow/create_bucket.py
    exec stoker doctor
    ;;
  "airflow api-server"* | "airflow scheduler"* | "airflow dag-processor"* | "airflow triggerer"*)
    # A container may be started before the others, and again while a newer image migrates.
    airflow db check --retry 30 --retry-delay 2
    airflow db check-migrations --migration-wait-timeout 300
    ;;
esac

exec "$@"
