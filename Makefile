# `make help` lists the targets. Each is a line that a person could type.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV
export UV_PROJECT_ENVIRONMENT := $(VENV)

# A table of processes of its own: whatever was started in it ends with it, also after Ctrl-C and SIGKILL.
ALONE := unshare --pid --fork --kill-child --mount-proc sh -c '"$$@"; exit $$?' alone

.DEFAULT_GOAL := help
.PHONY: help install demo test cov lint format types bench ui-bench drift-bench airflow-test ui-test cluster-test cluster-packages fault-test matrix docker-check requirements licences lock clean

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

cluster-test: $(READY) cluster-packages ## two schedulers, two Celery workers, PostgreSQL, Redis, Ceph's S3 gateway (Debian, root: installs and starts them)
	$(ALONE) $(BIN)/python -m pytest tests/rgw tests/cluster -m cluster
	$(ALONE) $(BIN)/python -m benchmarks.cluster_workers

cluster-packages: $(READY)
	command -v radosgw >/dev/null && command -v ceph-mon >/dev/null && command -v ceph-osd >/dev/null && command -v redis-server >/dev/null && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
	  (apt-get update && apt-get install -y --no-install-recommends ceph-mon ceph-osd radosgw ceph-common postgresql redis-server)
	$(BIN)/uv sync --locked --inexact --extra s3 --extra celery --python $(BIN)/python

fault-test: $(READY) cluster-packages ## kills, power cuts, races and hostile inputs at full size (Debian, root: half an hour or more)
	command -v strace >/dev/null || (apt-get update && apt-get install -y --no-install-recommends strace)
	$(ALONE) $(BIN)/python -m pytest tests/faults tests/security tests/ui -m fault

docker-check: $(READY) ## build and start the image without Docker (Debian, root: installs Redis)
	command -v redis-server >/dev/null || (apt-get update && apt-get install -y --no-install-recommends redis-server)
	$(BIN)/uv sync --locked --inexact --group docker --python $(BIN)/python
	PYTHONPATH=. $(BIN)/python docker/check.py

requirements: $(READY) ## write requirements.txt with versions and hashes, for images that are built elsewhere
	$(BIN)/uv export --quiet --locked --no-dev --extra s3 --extra sql --no-emit-project --output-file requirements.txt

licences: $(READY) ## write docs/licences.md anew from the lock
	$(BIN)/uv sync --locked --inexact --all-extras --python $(BIN)/python
	$(BIN)/python docs/licences.py

matrix: $(READY) ## test against every supported version of Airflow, Python and the libraries (half an hour)
	$(BIN)/python -m benchmarks.matrix $(ROWS)

lint: $(READY) ## check style and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=plugins $(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --severity-level medium --configfile pyproject.toml plugins

format: $(READY) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) ## check the types
	$(BIN)/mypy

lock: $(READY) ## lock anew after a change of pyproject.toml
	$(BIN)/uv lock

clean: ## remove the environment and what the demo left
	rm -rf $(VENV) .demo .matrix dist
