# Two commands on a fresh machine: `make demo` and `make test`. Each makes the environment it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/.demo-installed
DEV := $(VENV)/.dev-installed
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt

# What is installed is compiled when it is first imported, and kept: else each program that a test starts compiles torch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow check format lint types docs bench records clean

demo: $(DEMO)
	@echo "== Real photographs, real ImageNet weights (EfficientNet-Lite0) =="
	@$(BIN)/compoundnet predict $$($(BIN)/python examples/photos.py demo) --top 3
	@echo
	@echo "== Table 1 of the paper: EfficientNet-B0 =="
	@$(BIN)/compoundnet show efficientnet_b0
	@echo
	@echo "== B0 scaled by the paper's rule, with its true cost =="
	@$(BIN)/compoundnet scale efficientnet_b0 --phi 1
	@echo
	@echo "== The best B0 for two budgets, each proved (Eq. 2) =="
	@$(BIN)/compoundnet solve efficientnet_b0 --max-macs 200M --out demo/200M.json | grep -e ^efficientnet -e ^Limit -e ^macs -e '^The best' -e ^Predicted
	@$(BIN)/compoundnet verify-solution demo/200M.json
	@$(BIN)/compoundnet solve efficientnet_b0 --max-macs 1.8G --max-params 12M --out demo/1.8G.json | grep -e ^efficientnet -e ^Limit -e ^macs -e ^params -e '^The best' -e ^Predicted
	@$(BIN)/compoundnet verify-solution demo/1.8G.json

test: $(DEV)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

test-slow: $(DEV)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m slow

check: format lint types test docs

format: $(DEV)
	$(BIN)/ruff format --check

lint: $(DEV)
	$(BIN)/ruff check

types: $(DEV)
	$(BIN)/pyrefly check

docs: $(DEV)
	$(BIN)/sphinx-build -W -q -b html docs docs/_build/html

bench: $(DEV)
	$(BIN)/python -m benchmarks

records: $(DEV)
	$(BIN)/python -m tools

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "compoundnet needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(DEMO): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[demo]'
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[dev]'
	@touch $@ $(DEMO)

clean:
	rm -rf $(VENV) demo docs/_build
