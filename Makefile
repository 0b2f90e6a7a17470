# One file of tasks that is its own help: `make` or `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PORT ?= 8000
DATA ?= data
TLS ?=
SEED ?=
OPS ?= 12000
MINUTES ?= 1
ENGINE ?= sqlite
PYTHON ?= $(shell command -v python3.11 || command -v python3)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
# Byte code goes where the tests' own servers look for it: each of dozens of processes would compile all modules anew.
PYTEST := env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX=$${TMPDIR:-/tmp}/roundsman-bytecode $(BIN)/python -m pytest
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.PHONY: help run demo test test-fast test-slow torture bench lint docs lock format clean

help:  ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(VENV)/.runtime terminal/dist/index.html  ## Serve everything on one port (PORT=8000 DATA=data TLS=host)
	@$(BIN)/python -m tools.run --port $(PORT) --data $(DATA) --tls "$(TLS)"

demo: $(VENV)/.runtime  ## Play a shift with seven headless terminals and print what happened
	@$(BIN)/python -m demo

test: test-fast test-slow  ## All tests: the fast ones, then kill, PostgreSQL, documents, browser

test-fast: $(VENV)/.dev $(VENV)/.build  ## The fast tests, under a minute
	$(PYTEST) -n 2 -m "not slow"
	cd terminal && PATH=$(CURDIR)/$(BIN):$$PATH && npm test --silent

test-slow: $(VENV)/.dev terminal/dist/index.html  ## The tests that kill servers, start PostgreSQL and a browser
	$(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder -m "slow and not alone"
	$(PYTEST) -m "slow and alone"

torture: $(VENV)/.dev  ## Many terminals against servers under faults (SEED=… OPS=12000 MINUTES=1 ENGINE=sqlite|postgresql)
	@$(BIN)/python -m torture --ops $(OPS) --minutes $(MINUTES) --engine $(ENGINE) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.runtime  ## Server CPU a record for drain, trickle and bootstrap, beside the floors
	@$(BIN)/python -m bench

lint: $(VENV)/.dev $(VENV)/.build  ## ruff, mypy, the import contracts, file sizes, the terminal's types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.sizes
	cd terminal && PATH=$(CURDIR)/$(BIN):$$PATH && npm run --silent check

docs: $(VENV)/.dev  ## Write again what is made from the code: OpenAPI, errors, vectors, the README's transcript
	$(BIN)/python -m tools.documents

lock: $(VENV)/.dev $(VENV)/.node  ## Resolve the requirements again
	$(LOCK) --override requirements-overrides.txt requirements.in -o requirements.txt
	$(LOCK) requirements-build.in -o requirements-build.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt
	cd terminal && PATH=$(CURDIR)/$(BIN):$$PATH && npm install --package-lock-only --omit-lockfile-registry-resolved=false
	$(BIN)/python -m tools.npm_lock terminal/package-lock.json

format: $(VENV)/.dev  ## Format the Python files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove what make has made; keeps DATA
	rm -rf $(VENV) terminal/node_modules terminal/dist

$(VENV)/.runtime: requirements.txt
	@echo "making the environment in $(VENV) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/.node: $(VENV)/.runtime requirements-build.txt
	@$(PIP) -r requirements-build.txt
	@touch $@

$(VENV)/.build: $(VENV)/.node terminal/package-lock.json
	@cd terminal && PATH=$(CURDIR)/$(BIN):$$PATH && npm ci --silent --no-audit --no-fund
	@touch $@

terminal/dist/index.html: $(VENV)/.build $(shell find terminal/src terminal/public -type f 2>/dev/null) $(wildcard terminal/*.html terminal/*.ts terminal/*.json)
	@echo "building the terminal …"
	@cd terminal && PATH=$(CURDIR)/$(BIN):$$PATH && npm run --silent build -- --logLevel warn
	@touch $@
