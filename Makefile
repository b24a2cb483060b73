# Everything here makes .venv by itself from requirements.lock; only Python 3.11 or newer, git and make are needed.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
UV_VERSION := 0.13.8
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help serve test lint types fix bench faults soak fuzz audit docs lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(READY) ## run the server (ARGS="--port 8000")
	@$(BIN)/rooftree serve $(ARGS)

test: $(READY) ## run the tests on two processes (ARGS="tests/leads -k merge")
	@$(BIN)/python -m pytest -n 2 $(ARGS)

lint: $(READY) ## check style, spelling, the import contracts and the house rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell
	@$(BIN)/lint-imports
	@$(BIN)/python tools/check_house.py

types: $(READY) ## check types
	@$(BIN)/basedpyright $(ARGS)

fix: $(READY) ## format, and mend what can be mended by machine
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY) ## measure (ARGS names what)
	@$(BIN)/python -m bench $(ARGS)

faults: $(READY) ## kill everything at random, and count what is left (ARGS="--rounds 20 --seconds 20 --seed 7")
	@$(BIN)/python -m faults $(ARGS)

soak: $(READY) ## a constant mixed load: flat memory, no error, no lost event (ARGS="--minutes 30 --rate 20")
	@$(BIN)/python -m soak $(ARGS)

fuzz: $(READY) ## send what nobody thought of, and believe no answer (ARGS="--minutes 10 --seed 7")
	@$(BIN)/python -m fuzz $(ARGS)

audit: $(READY) ## ask whether a dependency has a known vulnerability
	@$(BIN)/python tools/audit.py $(ARGS)

docs: $(READY) ## write the generated pages of docs/ anew
	@$(BIN)/python tools/make_docs.py $(ARGS)

# docopt and breadability serve sumy's own command line and its reader of web pages, which nobody uses here.
lock: ## write requirements.lock anew (ARGS=--upgrade for newer versions)
	@test -x .venv-lock/bin/uv || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv==$(UV_VERSION); }
	@.venv-lock/bin/uv pip compile pyproject.toml --output-file requirements.lock --quiet --no-config \
		--extra dev --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
		--no-emit-package docopt --no-emit-package breadability \
		--custom-compile-command 'make lock' $(ARGS)

clean: ## remove what make and the tools made; data directories stay
	@rm -rf $(VENV) .venv-lock build dist src/*.egg-info htmlcov .coverage .coverage.* .pytest_cache .ruff_cache \
		.import_linter_cache .hypothesis
	@find . -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(or $(PYTHON),false) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'Rooftree needs Python 3.11 or newer that can make virtual environments (venv and ensurepip).' >&2; \
		echo 'Debian, Ubuntu: apt install python3-venv. Another Python: make PYTHON=/path/to/python3' >&2; exit 1; }
	@echo 'Making $(VENV) with $(PYTHON) (once; a minute or two)'
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
