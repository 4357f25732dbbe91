# Every target sets itself up in .venv first: only make and Python 3.11 or newer have to be there.
#   make demo PYTHON=python3.12     another interpreter (read when .venv is made; `make clean` first)
#   make test PYTHON=python3.13 VENV=.venv-3.13     another one beside it
#   make test ARGS="-k hold"        more arguments for what the target runs

PYTHON ?=
ARGS ?=
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
COMPILED := $(VENV)/.compiled
# More workers than the two cores, as tests wait as well as work; each has brokers and a store of its own. Slow tests of one class, or
# free in one file, stay together, and what comes first in our order begins first (tests/conftest.py).
WORKERS ?= 3
SLOW_WORKERS ?= 5

# Byte code is kept, whatever the shell says: to rewrite the asserts of all tests takes longer than a third of their run, and
# the slow ones start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.SILENT:
.DEFAULT_GOAL := help
.PHONY: help venv demo test lint slow door check soak bench race race-long mutants clean

help:
	echo "make demo      events through the router into an embedded ClickHouse, with tables at the end"
	echo "make test      the tests that need nothing but Python: half a minute"
	echo "make check     format, lint, types, sources (make lint), then the slow tests (make slow): a quarter of an hour"
	echo "make door      the store's slow tests once more, behind a door that passes everything on"
	echo "make soak      the long forms of some tests, for a release or a suspicion"
	echo "make bench     the benchmarks"
	echo "make race      a loop by hand, Bento and the product beside each other, from Kafka into ClickHouse, with a plot"
	echo "make race-long whether ten times as many events are stored as fast, in the same memory: ten minutes"
	echo "make mutants   break each guarantee on purpose: its test must turn red"
	echo "make venv      only the set-up that every other target does by itself"
	echo "make clean     remove .venv, .venv-* and what the tools left; stored data stays"

venv: $(COMPILED)

# Once, by one process: each worker of a first run would rewrite the asserts of all tests for itself. What cannot be collected says so
# in the run that follows.
$(COMPILED): $(INSTALLED)
	echo "Compiling the tests, once"
	$(BIN)/python -m pytest --collect-only -q >/dev/null 2>&1 || true
	touch $@

$(INSTALLED): pyproject.toml constraints.txt scripts/set_up.sh
	PYTHON='$(PYTHON)' sh scripts/set_up.sh $(VENV)
	touch $@

demo: $(INSTALLED)
	$(BIN)/millstream demo $(ARGS)

test: $(COMPILED)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

check: lint slow

lint: $(INSTALLED)
	$(BIN)/python -m ruff format --check --quiet .
	$(BIN)/python -m ruff check --quiet .
	$(BIN)/python -m mypy --no-error-summary -p millstream
	$(BIN)/python -m mypy --no-error-summary scripts
	$(BIN)/python -m mypy --no-error-summary tests/typing/api.py
	$(BIN)/python -m mypy --no-error-summary examples
	$(BIN)/python -m mypy --no-error-summary -p benchmarks.race
	PYTHONPATH=. $(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m pytest -q -m static tests/guards tests/docs

slow: $(COMPILED)
	$(BIN)/python -m pytest -q -m "slow and not soak" -n $(SLOW_WORKERS) --dist loadscope --no-loadscope-reorder $(ARGS)

# Once more what asks a server for INSERTs, behind the door that fails them as told: what passes there passes any proxy.
door: $(COMPILED)
	CLICKHOUSE_DOOR=1 $(BIN)/python -m pytest -q -m "slow and not soak" -n $(SLOW_WORKERS) tests/handlers/store tests/handlers/events $(ARGS)

# One after the other: they measure, and take the machine.
soak: $(INSTALLED)
	$(BIN)/python -m pytest -q -m soak -o faulthandler_timeout=1800 $(ARGS)
	$(BIN)/python -m pytest -q -m "hypothesis and not soak" --hypothesis-profile thorough $(ARGS)

# The normal options switch pytest-benchmark off; here they are replaced.
bench: $(INSTALLED)
	$(BIN)/python -m pytest -q -o addopts="--strict-markers --strict-config --import-mode=importlib" -o python_files='bench_*.py' -o python_functions='bench_*' -o faulthandler_timeout=1800 -s benchmarks $(ARGS)

race: $(INSTALLED)
	PYTHONPATH=. $(BIN)/python -m benchmarks.race $(ARGS)

race-long: $(INSTALLED)
	PYTHONPATH=. $(BIN)/python -m benchmarks.race.long $(ARGS)

mutants: $(INSTALLED)
	$(BIN)/python scripts/mutants.py $(ARGS)

clean:
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .benchmarks .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
