"""Thin adapters: Airflow in, one engine step, a reference out."""
