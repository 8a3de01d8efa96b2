# Each target does its own set-up; .venv is made once and again only when the pins change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
DATA ?= reports/demo/artefacts/activations-trained.zarr
# Test processes share the cores; threads on top of them only fight.
ONE_THREAD := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 STGCNLIB_PROGRESS=0

.PHONY: install report test mutants lint format bench clean help

help:           ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/'

install: $(READY) ## make .venv with everything pinned in constraints.txt

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stgcnlib needs Python 3.11 or newer; try make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

report: $(READY) ## the main job on the embedded demo: reports/demo/index.html
	$(BIN)/stgcnlib run notebooks/studies/demo.yml --output reports/demo

test: $(READY)  ## all tests, the tutorials included
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(WORKERS) tests
	STGCNLIB_PROGRESS=0 $(BIN)/python -m pytest --nbval-lax --nbval-current-env notebooks/tutorials

mutants: $(READY) ## plant faults, and list those that no test notices; ROOMS=dtw ARGS='--count 10' for fewer
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[mutants]'
	$(ONE_THREAD) $(BIN)/python tests/mutants/judge.py $(ROOMS) $(ARGS)

lint: $(READY)  ## ruff, mypy and the order of the modules
	$(BIN)/ruff format --check stgcnlib tests benchmarks
	$(BIN)/ruff check stgcnlib tests benchmarks notebooks
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## let ruff format the code
	$(BIN)/ruff format stgcnlib tests benchmarks
	$(BIN)/ruff check --fix stgcnlib tests benchmarks notebooks

bench: $(READY) ## side-by-side measurements against named peers; DATA=… for recordings or activations of your own
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps aeon Deprecated wrapt
	test -e $(DATA) || $(MAKE) report
	$(BIN)/python benchmarks/dtw_peers.py $(DATA) $(if $(findstring reports/demo,$(DATA)),--quick)

clean:          ## remove .venv, caches and what runs wrote
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	git clean -fdxq reports
