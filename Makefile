# Each target sets up .venv by itself: a fresh machine needs Python 3.11 or newer, and make.
PYTHON ?= python3
PIP := .venv/bin/pip install --quiet --disable-pip-version-check
HASHED := --require-hashes --only-binary :all:
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo run test verify lint types check format lock clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: .venv/run.stamp ## Run the worker against stand-ins of both services, and count what became of each document
	.venv/bin/sync-worker demo

run: .venv/run.stamp ## Run the service with the settings of .env
	.venv/bin/sync-worker run

test: .venv/dev.stamp ## Run the tests
	.venv/bin/python -m pytest -n $(WORKERS)

verify: .venv/dev.stamp ## Run the longer proofs: the demo with faults, and the demo without
	.venv/bin/sync-worker demo
	.venv/bin/sync-worker demo --faults

lint: .venv/dev.stamp ## Check style
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: .venv/dev.stamp ## Check types
	.venv/bin/mypy

check: lint types test ## lint, types and test

format: .venv/dev.stamp ## Bring the code into its style
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock: ## Pin every dependency anew, with hashes and without addresses; nothing younger than a week
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install --quiet uv
	$(LOCK) pyproject.toml -o requirements/run.txt
	$(LOCK) pyproject.toml --group build --group dev -c requirements/run.txt -o requirements/dev.txt
	$(LOCK) --group build -c requirements/dev.txt -o requirements/build.txt

LOCK = .venv/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	--no-emit-index-url --no-header --no-annotate --exclude-newer "$$(date -u -d '7 days ago' +%F)"

clean: ## Remove what the other targets made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: name it, as in make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run.stamp: .venv/bin/python pyproject.toml requirements/run.txt requirements/build.txt
	$(PIP) $(HASHED) -r requirements/run.txt -r requirements/build.txt
	$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements/dev.txt
	$(PIP) $(HASHED) -r requirements/dev.txt
	@touch $@
