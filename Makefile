# Each target does its own set-up in .venv, once and again only when the pins change. A report needs the package
# alone; tests, linters and the peers of the benchmarks are added by the targets that use them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
COMPILED := $(VENV)/.compiled
READY_DEV := $(VENV)/.ready-dev
READY_BENCH := $(VENV)/.ready-bench
READY_DOCS := $(VENV)/.ready-docs
INSTALL = $(BIN)/python tools/install.py $(1) $(VENV)/install.log --constraint constraints.txt
WORKERS ?= 2
MACHINE ?= all
DATA ?= reports/demo/artefacts/activations/trained.zarr
# Test processes share the cores; threads on top of them only fight. A training has two threads all the same, and OpenMP's
# would spin for the core that another test has: seven times as long.
ONE_THREAD := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 GOMP_SPINCOUNT=1000 STGCNLIB_PROGRESS=0
# One process more than cores, since tests wait for browsers, kernels and files a quarter of their time. A file of
# tests, or a notebook, stays in one process, so that what its tests share is made once; the long files come first, so
# that no process is left alone with one at the end.
PYTEST := $(BIN)/python -m pytest -n $$(($(WORKERS) + 1)) --dist loadfile --no-loadscope-reorder
LONG := notebooks/tutorials tests/pipeline tests/browser tests/networks

.PHONY: install report test test-portable faults mutants lint format bench docs links clean help

help:           ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 16

install: $(READY_DEV) $(COMPILED) ## make .venv with the package, tests and linters as pinned in constraints.txt

# An environment without pip, or one whose last installation was cut off, is made anew.
$(READY): pyproject.toml constraints.txt $(wildcard $(VENV)/install.unfinished)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stgcnlib needs Python 3.11 or newer; try make PYTHON=python3.11")'
	@test ! -e $(VENV)/install.unfinished && $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(call INSTALL,"what a report needs (a minute or two)") --editable .
	@touch $(READY)

# Bytecode too: where PYTHONDONTWRITEBYTECODE is set, every process would compile the library again.
$(COMPILED): $(READY)
	@$(BIN)/stgcnlib compile
	@$(BIN)/python -m compileall -q stgcnlib
	@touch $(COMPILED)

$(READY_DEV): $(READY)
	@$(call INSTALL,"tests and linters") --editable '.[dev]'
	@touch $(READY_DEV)

$(READY_BENCH): $(READY)
	@$(call INSTALL,"the peers to measure against") --editable '.[bench]'
	@$(call INSTALL,"aeon without its own requirements") --no-deps aeon Deprecated wrapt
	@touch $(READY_BENCH)

$(READY_DOCS): $(READY)
	@$(call INSTALL,"what builds the site") --editable '.[docs]'
	@touch $(READY_DOCS)

report: $(COMPILED) ## the main job on the embedded demo: reports/demo/index.html
	$(BIN)/stgcnlib run notebooks/studies/demo.yml --output reports/demo

test: $(READY_DEV) $(COMPILED) ## all tests, the tutorials included
	$(ONE_THREAD) $(PYTEST) --durations 15 --nbval-lax --nbval-current-env $(LONG) tests

test-portable: $(READY_DEV) ## the numerical tests as on other processors; MACHINE=… for one of them, see tests/portable.py
	$(BIN)/python tests/portable.py --workers $(WORKERS) $(MACHINE)

faults: $(READY_DEV) ## kills, damage, full disks and bad input, all of them (tests/faults), and what they counted; ARGS='-k kills' for some
	$(ONE_THREAD) STGCNLIB_FAULTS=all $(BIN)/python -m pytest -o faulthandler_timeout=0 -n $(WORKERS) tests/faults tests/browser/test_received_folder.py $(ARGS)

mutants: $(READY_DEV) ## plant faults, and list those that no test notices; ROOMS=dtw ARGS='--count 10' for fewer
	@$(call INSTALL,"what plants faults") --editable '.[dev,mutants]'
	$(ONE_THREAD) $(BIN)/python tests/mutants/judge.py $(ROOMS) $(ARGS)

lint: $(READY_DEV) ## ruff, mypy and the order of the modules
	$(BIN)/ruff format --check stgcnlib tests benchmarks tools docs/*.py
	$(BIN)/ruff check stgcnlib tests benchmarks tools docs/*.py notebooks
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY_DEV) ## let ruff format the code
	$(BIN)/ruff format stgcnlib tests benchmarks tools docs/*.py
	$(BIN)/ruff check --fix stgcnlib tests benchmarks tools docs/*.py notebooks

bench: $(READY_BENCH) ## side-by-side measurements against named peers; DATA=… for recordings or activations of your own
	test -e $(DATA) || $(MAKE) report
	$(BIN)/python benchmarks/dtw_peers.py $(DATA) $(if $(findstring reports/demo,$(DATA)),--quick)

docs: $(READY_DOCS) ## the site: docs/_build/html/index.html; a warning is an error
	$(ONE_THREAD) $(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

links: $(READY_DOCS) ## whether the links that leave the site lead somewhere; needs the network
	$(ONE_THREAD) $(BIN)/python -m sphinx -q -b linkcheck docs docs/_build/links

clean:          ## remove .venv, caches and what runs wrote
	rm -rf $(VENV) build dist docs/_build docs/generated *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	git clean -fdxq reports
