# Every target sets itself up in .venv first: only make and Python 3.11 or newer have to be there.
#   make demo PYTHON=python3.12     another interpreter (read when .venv is made; `make clean` first)
#   make test ARGS="-k hold"        more arguments for what the target runs

PYTHON ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.SILENT:
.DEFAULT_GOAL := help
.PHONY: help venv demo test check bench mutants clean

help:
	echo "make demo      events through the router into an embedded ClickHouse, with tables at the end"
	echo "make test      the tests, without the slow ones"
	echo "make check     format, lint, types, then the slow tests"
	echo "make bench     the benchmarks"
	echo "make mutants   break each guarantee on purpose: its test must turn red"
	echo "make venv      only the set-up that every other target does by itself"
	echo "make clean     remove .venv and what the tools left; stored data stays"

venv: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt scripts/set_up.sh
	PYTHON='$(PYTHON)' sh scripts/set_up.sh $(VENV)
	touch $@

demo: $(INSTALLED)
	$(BIN)/millstream demo $(ARGS)

test: $(INSTALLED)
	$(BIN)/python -m pytest -q $(ARGS)

check: $(INSTALLED)
	$(BIN)/python -m ruff format --check --quiet .
	$(BIN)/python -m ruff check --quiet .
	$(BIN)/python -m mypy --no-error-summary -p millstream
	$(BIN)/python -m mypy --no-error-summary scripts
	PYTHONPATH=. $(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m pytest -q -m slow $(ARGS)

# The normal options switch pytest-benchmark off; here they are replaced.
bench: $(INSTALLED)
	$(BIN)/python -m pytest -q -o addopts="--strict-markers --strict-config --import-mode=importlib" -o python_files='bench_*.py' -o python_functions='bench_*' -s benchmarks $(ARGS)

mutants: $(INSTALLED)
	$(BIN)/python scripts/mutants.py $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .benchmarks .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
