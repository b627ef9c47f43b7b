# `make demo` and `make test` each do all their own set-up; both need only python3.11 and make.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check lint types unit wheel bench clean

demo: $(READY)
	$(BIN)/python sample_data/run_demo.py

test: check wheel

check: lint types unit

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/pytest

wheel: $(READY)
	$(BIN)/python tests/wheel/try_wheel.py

# MONAI, one of the peers that are measured beside lsafnet, gets an environment of its own.
bench:
	$(PYTHON) -m venv .bench || python3 -m venv .bench
	.bench/bin/pip install --quiet --constraint constraints.txt --editable . -r benchmarks/requirements.txt
	.bench/bin/python benchmarks/run.py $(SECTIONS)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) demo build dist
