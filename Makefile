# Needs Python >= 3.11 with venv, and make. Everything else comes into .venv and node_modules,
# pinned by hash. Registries and certificates are those of your own environment.

SHELL := /bin/sh
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
SITE := frontend-contract/reference-app
DOCS := frontend-contract/docs
GENERATORS := frontend-contract/generators
SITE_SOURCES := $(shell find frontend-contract -type f -not -path '$(DOCS)/*' -not -path '$(GENERATORS)/*' \
	-not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/test-results/*' 2>/dev/null)

# node and npm come from a wheel; a Node.js of the machine is neither needed nor used.
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Without a home to write to, caches live beside the environment.
ifneq ($(shell test -n "$$HOME" && test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.venv/home
endif

# Certificates that the machine trusts are trusted: many networks have an authority of their own.
export NODE_USE_SYSTEM_CA := 1

# uv does not read pip's settings: hand the index over, when the environment names one.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.DEFAULT_GOAL := help
.PHONY: help setup run test coverage chaos bench contract lint format clean
.DELETE_ON_ERROR:

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.installed realtime/_fanout.so $(SITE)/dist/index.html $(DOCS)/dist/index.html ## Make the environment and build the pages

run: setup ## Start everything on this machine (SICERDAS_PORT, SICERDAS_DATA_DIR)
	@exec $(BIN)/python -m app dev

test: setup ## Run all tests at their commit size
	@$(PYTEST) -q -n 2 --dist loadfile

coverage: setup ## Measure which branches of realtime/ its own tests reach; fails below 99 %
	@$(BIN)/coverage run --source=realtime -m pytest -q tests/realtime
	@$(BIN)/coverage report --show-missing --skip-covered --fail-under=99

chaos: setup ## Run the tests that kill processes, at full size
	@SICERDAS_TEST_SIZE=full $(PYTEST) -q -s -m chaos --timeout=7200

bench: setup ## Measure; prints one JSON line for each measurement
	@$(BIN)/python -m tests.load

contract: $(DOCS)/node_modules/.package-lock.json $(GENERATORS)/node_modules/.package-lock.json ## Write openapi.json, asyncapi.json, errors.json and the types anew
	@PYTHONPATH=. $(BIN)/python frontend-contract/generate.py
	@cd $(DOCS) && node build.js

lint: .venv/.installed ## Check style, types, imports and spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell

format: .venv/.installed ## Put the source into the one form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## Remove what make made; the data folder stays
	rm -rf .venv $(SITE)/node_modules $(SITE)/dist $(DOCS)/node_modules $(DOCS)/dist $(GENERATORS)/node_modules

# The stamp is written last: an interrupted installation is done again.
.venv/.installed: requirements-bootstrap.lock requirements-dev.lock
	@$(BIN)/python -c '' 2>/dev/null || { \
	  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	    $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	      && python=$$candidate && break; \
	  done; \
	  test -n "$$python" || { \
	    echo "Python 3.11 or newer is missing. Install it with: apt-get install python3 python3-venv"; \
	    exit 1; }; \
	  $$python -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "Python's venv is missing. Install it with: apt-get install python3-venv"; exit 1; }; \
	  echo "making the Python environment"; \
	  $$python -m venv --clear .venv; }
	@mkdir -p .venv/home
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@echo "installing the Python packages"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target .venv/tools --no-deps \
	  --only-binary :all: --require-hashes -r requirements-bootstrap.lock
	@.venv/tools/bin/uv pip sync --quiet --system-certs --python $(BIN)/python --require-hashes requirements-dev.lock
	@touch $@

# Faster with a C compiler, the same without one: then the file is empty and Python does it.
realtime/_fanout.so: realtime/_fanout.c
	@$(CC) -O2 -shared -fPIC -o $@ $< 2>/dev/null || : > $@

$(SITE)/node_modules/.package-lock.json: $(SITE)/package.json $(SITE)/package-lock.json | .venv/.installed
	@echo "installing the pages' packages"
	@cd $(SITE) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(SITE)/dist/index.html: $(SITE)/node_modules/.package-lock.json $(SITE_SOURCES)
	@echo "building the pages"
	@cd $(SITE) && npm run --silent build -- --logLevel warn
	@touch $@

$(DOCS)/node_modules/.package-lock.json: $(DOCS)/package.json $(DOCS)/package-lock.json | .venv/.installed
	@echo "installing the packages of the contract's pages"
	@cd $(DOCS) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(GENERATORS)/node_modules/.package-lock.json: $(GENERATORS)/package.json $(GENERATORS)/package-lock.json | .venv/.installed
	@echo "installing the contract's generators"
	@cd $(GENERATORS) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(DOCS)/dist/index.html: $(DOCS)/node_modules/.package-lock.json $(DOCS)/build.js \
		$(DOCS)/asyncapi-parsed.json $(wildcard $(DOCS)/pages/*)
	@echo "building the contract's pages"
	@cd $(DOCS) && node build.js
	@touch $@
