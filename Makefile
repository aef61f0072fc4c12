# `make help` lists the targets. Each is a line that a person could type.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV
export UV_PROJECT_ENVIRONMENT := $(VENV)

.DEFAULT_GOAL := help
.PHONY: help install demo test cov lint format types bench ui-bench drift-bench airflow-test ui-test cluster-test lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## build the environment from the lock

$(READY): pyproject.toml uv.lock
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else f"Stoker needs Python 3.11 to 3.13; {sys.executable} is {sys.version.split()[0]}. Pass PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv sync --locked --inexact --compile-bytecode --python $(BIN)/python
	@touch $@

demo: $(READY) ## run the loop over twelve months in a real Airflow (CI=1 stops by itself)
	$(BIN)/python -m benchmarks.demo $(if $(CI),--ci) $(if $(MONTHS),--months $(MONTHS))

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

cov: $(READY) ## run the tests of core, store and registry and show what they miss
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/core tests/store tests/registry tests/concurrency \
	  --cov --cov-report=term-missing:skip-covered --cov-fail-under=95

bench: $(READY) ## measure what the README and docs/ promise
	$(BIN)/python -m benchmarks.parse_time
	$(BIN)/python -m benchmarks.registry_scale

ui-bench: $(READY) ## measure the pages with a thousand models and ten thousand versions (a minute)
	$(BIN)/python -m benchmarks.ui_scale

drift-bench: $(READY) ## measure the alarms, what retraining is worth, and ten million rows (a quarter of an hour)
	$(BIN)/python -m benchmarks.drift_alarms
	$(BIN)/python -m benchmarks.retraining_policies
	$(BIN)/python -m benchmarks.drift_scale

airflow-test: $(READY) ## test watchers and runs in a real Airflow whose parts are killed
	$(BIN)/python -m pytest tests/airflow -m airflow

ui-test: $(READY) ## test the pages in a real Airflow with a real browser (Debian, root: installs Chromium)
	command -v chromium chromedriver >/dev/null || \
	  (apt-get update && apt-get install -y --no-install-recommends chromium chromium-driver)
	$(BIN)/python -m pytest tests/browser -m browser

cluster-test: $(READY) ## test against Ceph's S3 gateway (Debian, root: installs and starts it)
	command -v radosgw ceph-mon ceph-osd >/dev/null || \
	  (apt-get update && apt-get install -y --no-install-recommends ceph-mon ceph-osd radosgw ceph-common)
	$(BIN)/python -m pytest tests/rgw -m cluster

lint: $(READY) ## check style and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=plugins $(BIN)/lint-imports

format: $(READY) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) ## check the types
	$(BIN)/mypy

lock: $(READY) ## lock anew after a change of pyproject.toml
	$(BIN)/uv lock

clean: ## remove the environment and what the demo left
	rm -rf $(VENV) .demo dist
