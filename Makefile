# One command each. All of them make .venv and put into it what they need; a second call finds it there.
# PYTHON may name another interpreter of version 3.11 or later that has pip.

PYTHON ?= python3
# Whoever has activated .venv means the interpreter that it was made with: it has no pip itself.
export PATH := $(subst $(CURDIR)/.venv/bin:,,$(PATH))
BIN := .venv/bin
PIP := $(PYTHON) -m pip --python $(BIN)/python --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --generate-hashes --no-emit-index-url --no-header \
	--python-version 3.11 --universal
EXTRAS := $(addprefix --extra ,bom calibrate postgresql ray run simulate sweep)
# Of the reference trainer. Indexes give builds with CUDA on Linux, which are large; a CPU build is enough for the
# tests: TORCH may be the file of one, or carry the option that names an index of them.
TORCH ?= torch==2.13.0

.DEFAULT_GOAL := help
.PHONY: help demo test check docs bench golden engines lock clean

help: ## list these commands
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 16

demo: .venv/run.stamp ## plan the flagship example and say where the report is
	@mkdir -p build
	$(BIN)/myriad plan examples/human-car-home.yaml --html build/human-car-home.html
	@echo "Open build/human-car-home.html in a browser: it needs no network."

test: check ## format, lint, types and all tests
	$(BIN)/pytest -n 2 --dist worksteal

check: .venv/dev.stamp ## format, lint and types only
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

docs: .venv/dev.stamp ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/dev.stamp ## run the benchmarks
	$(BIN)/pytest benchmarks --override-ini 'addopts=--import-mode=importlib' --benchmark-only

golden: .venv/dev.stamp ## renew the stored results of tests/golden; review the difference
	MYRIAD_RENEW_GOLDEN=1 $(BIN)/pytest tests/golden

engines: .venv/dev.stamp ## run all launch arguments through the engines' own parsers (about 4 GB, no GPU)
	MYRIAD_TORCH="$(TORCH)" $(BIN)/python tests/engines/install.py build/engines
	MYRIAD_ENGINES=$(CURDIR)/build/engines $(BIN)/pytest tests/engines

lock: .venv/dev.stamp ## compile requirements/*.txt anew from pyproject.toml
	$(COMPILE) $(EXTRAS) --group dev --upgrade --output-file requirements/dev.txt
	$(COMPILE) --constraints requirements/dev.txt --group build --output-file requirements/run.txt
	$(COMPILE) --constraints requirements/dev.txt --extra calibrate --output-file requirements/calibrate.txt

clean: ## remove .venv and everything built
	rm -rf .venv build dist site

# The virtual environment holds no pip of its own: the one of PYTHON installs into it.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Myriad needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv --without-pip .venv

.venv/%.stamp: requirements/%.txt pyproject.toml $(BIN)/python
	$(PIP) install --quiet --no-compile --requirement $<
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	$(if $(findstring dev,$@),$(PIP) install --quiet --no-compile $(TORCH))
	@touch $@
