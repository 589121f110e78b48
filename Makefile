# Needs Python 3.11 or newer and make; everything else is fetched: requirements.lock and, for Apache Kafka, deploy/kafka/artifacts.txt.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TESTS ?=
BROKER ?= kafka
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))

FAST_PARTS := $(wildcard tests/unit tests/property tests/architecture tests/contract)
COVERED_PARTS := $(wildcard tests/component) $(FAST_PARTS)
SLOW_PARTS := $(wildcard tests/integration tests/e2e)

.PHONY: help demo up down test check format-check lint types imports fast-tests covered-tests slow-tests chaos bench kafka lock format clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

# The stamp depends on the lock alone: a new lock installs again, into the same environment. Where clones share one, the
# folder that a command is started from comes first (PYTHONPATH), not the clone that was installed last.
$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Monazite needs Python 3.11 or newer, %s is %s: run make PYTHON=python3.12 ..." % (sys.executable, sys.version.split()[0]))'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@# The command itself, in place: the lock has brought all that it needs and what builds it.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

demo: $(STAMP) ## play the real history through a local stack and show the alerts
	$(BIN)/monazite demo

up: $(STAMP) ## run the stack live in this terminal until Ctrl-C; what it is told is kept (BROKER=embedded keeps nothing)
	$(BIN)/monazite stack up --history --foreground --broker $(BROKER)

down: $(STAMP) ## stop a stack that runs in the background
	$(BIN)/monazite stack down

check: format-check lint types imports fast-tests ## format, lint, types, imports, unit, property, architecture, contract tests (under a minute)

test: format-check lint types imports covered-tests slow-tests ## all of `make check` and component tests with the coverage gate, then integration and end-to-end tests

format-check: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy .

imports: $(STAMP)
	$(BIN)/lint-imports

fast-tests: $(STAMP)
	$(BIN)/python -m pytest -q -rs --numprocesses auto --dist worksteal $(FAST_PARTS) $(TESTS)

# Every branch of the contracts and of the risk core is run, or the gate closes. Two parts at once, the longest first.
covered-tests: $(STAMP)
	rm -f .coverage .coverage.*
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(COVERED_PARTS:%=covered/%)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under=100

covered/%:
	$(BIN)/python -m coverage run --parallel-mode -m pytest -q -rs $* $(TESTS)

slow-tests: $(STAMP)
	$(BIN)/python -m pytest -q -rs $(SLOW_PARTS) $(TESTS)

chaos: $(STAMP) kafka ## two roads over one input through every fault and a soak of them (about an hour; reports in .cache/chaos)
	$(BIN)/python -m pytest -q -rs -s -o faulthandler_timeout=3600 tests/chaos $(TESTS)

bench: $(STAMP) kafka ## measure the road and its reference on Apache Kafka
	$(BIN)/python -m bench

kafka: $(STAMP) ## fetch Apache Kafka, and check what was fetched (58 MB, below .cache)
	@$(BIN)/python -m deploy.stack.fetch

lock: ## resolve requirements.lock anew from pyproject.toml (needs uv in .venv)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra all --group dev pyproject.toml --output-file requirements.lock

format: $(STAMP) ## put the sources into the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what was built (not .venv and the Kafka artifacts)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
