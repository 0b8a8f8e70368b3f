# Keepsight: the commands of the project. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSOLE := playback/console
.DEFAULT_GOAL := help
.PHONY: help setup setup-demo demo serve test test-fast lint format console promise promises lock clean

help: ## List the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup-demo ## Record a few cameras of its own, serve the page and show what happens; FOR=60s stops by itself and checks
	@$(BIN)/keepsight demo $(if $(FOR),--for $(FOR))

test: setup console ## Everything CI runs: lint, types, house rules, all tests, the short reliability promises
	@scripts/test all

test-fast: $(VENV)/.dev console ## The tests that need no server, at most two minutes
	@scripts/test fast

lint: $(VENV)/.dev ## Style, types and the directions of imports
	@scripts/lint

format: $(VENV)/.dev ## Lay the code out as ruff does
	@$(BIN)/ruff check --fix-only -q . ; $(BIN)/ruff format -q .

promise: $(VENV)/.dev ## Measure one promise: P=S1 [FULL=1]; see docs/promises.md
	@test -n "$(P)" || { echo "say which: make promise P=S1 [FULL=1]"; exit 2; }
	@$(BIN)/python -m bench.promises $(P) $(if $(FULL),--full)

promises: $(VENV)/.dev ## Make the table docs/promises.md out of the kept long results
	@$(BIN)/python -m bench.promises --table

setup: $(VENV)/.dev ## Install what the tests need: Python packages, and by apt: ffmpeg, Chromium, the RTSP server
	@scripts/setup tests

setup-demo: $(VENV)/.python console
	@scripts/setup demo

console: $(CONSOLE)/dist/index.html ## Build the page

lock: ## Renew the locked Python dependencies
	@scripts/lock

clean: ## Remove what was built and installed here
	rm -rf $(VENV) $(CONSOLE)/node_modules $(CONSOLE)/dist

$(VENV)/.python: requirements.lock pyproject.toml
	@scripts/python-env requirements.lock $(PYTHON)
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.python
	@scripts/python-env requirements-dev.lock $(PYTHON)
	@touch $@

$(CONSOLE)/dist/index.html: $(wildcard $(CONSOLE)/src/* $(CONSOLE)/src/*/* $(CONSOLE)/*.ts $(CONSOLE)/*.html $(CONSOLE)/*.json) $(VENV)/.python
	@scripts/console
