# Each target sets up .venv by itself: a fresh machine needs Python 3.11 or newer, and make.
PYTHON ?= python3
PIP := .venv/bin/pip install --quiet --disable-pip-version-check
HASHED := --require-hashes --only-binary :all:
WORKERS ?= 2
# Tests wait for sockets half of their time, so that two cores carry four of them.
TESTERS ?= 4
PYTEST := .venv/bin/python -m pytest -n $(TESTERS) --dist worksteal
# Thousands of small ledgers are written to the disk for good: to memory, where there is plenty.
export PYTEST_DEBUG_TEMPROOT := $(shell avail=$$(df --output=avail /dev/shm 2>/dev/null | tail -1); \
	[ "$${avail:-0}" -gt 200000 ] && echo /dev/shm || echo "$${TMPDIR:-/tmp}")
# Dozens of short processes are started: each would compile the whole program anew where an environment forbids to keep it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo run test verify verify-processes verify-documents prove prove-simulation prove-crash-points prove-processes prove-many prove-rate prove-faults prove-backups \
	prove-conversion prove-mutants prove-soak prove-canaries mutation results match-report pictures screenshots bench lint types check format lock wheel sbom image \
	image-rehearsal clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

demo: .venv/run.stamp ## Run the worker against stand-ins of both services, and count what became of each document
	.venv/bin/sync-worker demo

run: .venv/run.stamp ## Run the service with the settings of .env
	.venv/bin/sync-worker run

test: .venv/dev.stamp ## Run the tests
	$(PYTEST) -m "not proof and not long"

verify: .venv/dev.stamp ## Run the middle-sized proofs: demos, longer tests, 2,000 simulated sessions, every crash point once, 60 kills, the rate limit, a minute's soak, a clinic's bad day, 2,000 documents
	$(PYTEST) -m proof
	$(PROVE).simulation --sessions 2000 --jobs $(WORKERS)
	$(PROVE).simulation.crash_points --database both --once --jobs $(WORKERS)
	$(MAKE) --no-print-directory --jobs 3 --output-sync=target verify-processes verify-documents prove-rate

# Side by side: real processes wait for their polls most of the time.
verify-processes: .venv/dev.stamp
	$(PROVE).processes kills --count 30
	$(PROVE).soak --short

verify-documents: .venv/dev.stamp
	.venv/bin/sync-worker demo
	.venv/bin/sync-worker demo --faults
	$(PROVE).day
	$(PROVE).conversion --examples 2000 --hostile 500 --jobs 1

prove: prove-simulation prove-crash-points prove-processes prove-many prove-rate prove-faults prove-backups prove-conversion prove-mutants prove-soak prove-canaries match-report results ## Run every long proof: hours

prove-simulation: .venv/dev.stamp ## 100,000 simulated sessions, and 2,000 stories that shrink when they fail
	$(PROVE).simulation --sessions 100000 --jobs $(WORKERS)
	$(PROVE).simulation.machine --examples 2000

prove-crash-points: .venv/dev.stamp ## Die at every point between two effects, once and twice, on both databases
	$(PROVE).simulation.crash_points --database both --jobs $(WORKERS)

prove-processes: .venv/dev.stamp ## Kill, stop, crowd and end real workers; lose their answers
	$(PROVE).processes kills --count 250
	$(PROVE).processes migrations --count 12
	$(PROVE).processes stops --count 12
	$(PROVE).processes rivals --count 20
	$(PROVE).processes sigterm --count 100
	$(PROVE).processes lost-answers --count 200

prove-rate: .venv/dev.stamp ## File a backlog for two minutes of real time, 120 requests a minute, each 400 ms long: all of the limit, never over
	$(PROVE).rate

prove-many: .venv/dev.stamp ## Kill one of two workers on one Postgres ledger, cut both off at commits, count their requests of one key
	$(PROVE).processes many --count 60

prove-faults: .venv/dev.stamp ## The error table, 50,000 lists that change while read, clock steps, 429 storms, failing databases
	$(PROVE).faults.error_table --count 20
	$(PROVE).faults.cursor --examples 50000 --processes $(WORKERS)
	$(PROVE).faults.clock_steps
	$(PROVE).faults.rate_storm --hours 24
	$(PROVE).faults.database --every 1

prove-backups: .venv/dev.stamp ## Back up while writing, put back, put an old copy back: 30 rounds
	$(PROVE).copies.rounds --rounds 30

prove-conversion: .venv/dev.stamp ## Render 50,000 documents in both formats, and 5,000 hostile ones: no word lost, none added
	$(PROVE).conversion --examples 50000 --hostile 5000 --jobs $(WORKERS)

prove-canaries: .venv/dev.stamp ## Look for marked strings of 49 kinds after every command, page and fault: none may come out
	.venv/bin/python -m pytest -s -m long tests/canaries

prove-mutants: .venv/dev.stamp ## Break the worker on purpose in each known way: the tests must notice
	$(PROVE).mutants

HOURS ?= 12
prove-soak: .venv/dev.stamp ## Let one worker file five documents a minute for 12 hours (HOURS=N): nothing may grow, come late or twice
	$(PROVE).soak --hours $(HOURS)

mutation: .venv/dev.stamp ## Change the code that claims, settles and looks in every small way: nine in ten must be noticed
	rm -rf mutants
	.venv/bin/mutmut run --max-children $(WORKERS)
	$(PROVE).mutants.summary

results: .venv/dev.stamp ## Write what the proofs counted here into docs/reliability.md
	.venv/bin/python -m tests.proofs

match-report: .venv/dev.stamp ## Match 33,000 made-up hints to charts: none may go wrong; write docs/matching.md
	$(PROVE).matching

pictures: .venv/dev.stamp ## Draw the pictures of docs/notes.md anew; needs Chromium
	$(PROVE).pictures

screenshots: .venv/dev.stamp ## Take the pictures of the web page anew; needs Chromium
	$(PROVE).web.screenshots

PROVE = .venv/bin/python -m tests

bench: .venv/dev.stamp ## Measure speed, requests, memory and starts beside what they should be: a quarter of an hour, on a machine without other work
	.venv/bin/python -m bench.summary

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
	$(LOCK) pyproject.toml --extra distributed -c requirements/run.txt -o requirements/distributed.txt
	$(LOCK) pyproject.toml --extra distributed --group build --group dev -c requirements/distributed.txt -o requirements/dev.txt
	$(LOCK) --group build -c requirements/dev.txt -o requirements/build.txt
	$(LOCK) --group match-report --no-deps -o requirements/match-report.txt

LOCK = .venv/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	--no-emit-index-url --no-header --no-annotate --exclude-newer "$$(date -u -d '7 days ago' +%F)"

wheel: .venv/run.stamp ## Build the wheel and the source archive into dist/: the same bytes each time
	.venv/bin/python -m hatchling build --directory dist

sbom: .venv/dev.stamp ## List what a release is made of, in dist/sbom.json (CycloneDX); needs no network
	.venv/bin/python deploy/sbom.py dist/sbom.json

# Name a base by its digest to build twice the same: make image BASE=debian:bookworm-slim@sha256:...
BASE ?= debian:bookworm-slim
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' sync_worker/__init__.py)
REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)

image: ## Build the container image by docker or podman
	@for engine in docker podman; do \
		if $$engine info >/dev/null 2>&1; then \
			exec $$engine build --build-arg BASE=$(BASE) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
				--tag sync-worker:$(VERSION) --tag sync-worker:latest $$([ $$engine = docker ] || echo --format docker) .; \
		fi; \
	done; \
	echo "No docker or podman answers here: install one, or try the Dockerfile by make image-rehearsal." >&2; exit 1

image-rehearsal: .venv/bin/python ## Build the image without docker or a registry and try it: root, buildah and mmdebstrap
	deploy/image_rehearsal.sh

clean: ## Remove what the other targets made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: name it, as in make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run.stamp: .venv/bin/python pyproject.toml requirements/run.txt requirements/build.txt
	$(PIP) $(HASHED) -r requirements/run.txt -r requirements/build.txt
	$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements/dev.txt requirements/match-report.txt
	$(PIP) $(HASHED) -r requirements/dev.txt
	$(PIP) $(HASHED) --no-deps -r requirements/match-report.txt
	@touch $@
