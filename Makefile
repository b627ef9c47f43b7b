# `make demo` and `make test` each do all their own set-up; both need only python3.11 and make.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check lint types unit docs wheel qgis-plugin test-qgis pictures bench gpu-check clean

demo: $(READY)
	$(BIN)/python tools/run_demo.py

test: check wheel

check: lint types docs unit

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

# Tests start many processes of their own, so each of pytest's computes on one core; they wait much, so there is one more than cores.
unit: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $$(($$(nproc) + 1)) --maxprocesses 8 --dist worksteal

# The site, into site/; what it lacks or links wrongly ends the build (not so with --quiet, under which no warning counts).
# Without the variable mkdocs-material advertises.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel: $(READY)
	$(BIN)/python tests/wheel/try_wheel.py

# The plugin's archive, into dist/, for QGIS's "Install from ZIP".
qgis-plugin:
	$(PYTHON) tools/make_qgis_plugin.py || python3 tools/make_qgis_plugin.py

# Needs Debian's packages qgis and python3-qgis; `make unit` skips these tests where they are missing.
test-qgis: $(READY)
	LSAFNET_NEEDS_QGIS=1 $(BIN)/pytest tests/test_qgis.py tests/test_qgis_plugin.py

# The pictures of docs/; needs QGIS as test-qgis does, and Debian's chromium.
pictures: $(READY)
	$(BIN)/python docs/make_pictures.py

# MONAI, one of the peers that are measured beside lsafnet, gets an environment of its own.
bench:
	$(PYTHON) -m venv .bench || python3 -m venv .bench
	.bench/bin/pip install --quiet --constraint constraints.txt --editable . -r benchmarks/requirements.txt
	.bench/bin/python benchmarks/run.py $(SECTIONS)

# Answers and speed of a GPU in eight minutes, into gpu-check/; DEVICE=cpu tries the procedure in about three. It takes
# the Python it finds, for a machine with a GPU may have no network to install from.
DEVICE ?= cuda
FOUND_PYTHON := $(if $(wildcard $(BIN)/python),$(BIN)/python,python3)
gpu-check:
	PYTHONPATH=.:models:$$PYTHONPATH $(FOUND_PYTHON) benchmarks/gpu_check.py --device $(DEVICE)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev,docs]"
	touch $(READY)

clean:
	rm -rf $(VENV) demo build dist site gpu-check
