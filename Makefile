# make demo    a local Slack workspace in the browser, with AWS and the bot: no account needed anywhere
# make run     the bot itself, with the settings of .env
# make test    the tests, with a sample of each matrix (make test ARGS="tests/core -k approve" for some; WORKERS=1: one
#              after the other)
# make test-all  all tests, and then the matrices: a crash at every call, some 2,000 faults (EVERY_FAULT=1: all of
#                them), 100,000 simulated schedules
# make screenshots   the README's pictures, anew (needs Chromium)
# make check   style, types, and who may import whom
# make audit   is anything known against the libraries? (asks the Python Package Index, and says where it cannot)
# make pins    requirements*.txt with their hashes and docs/licences.md, anew from requirements*.in

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Tests mostly wait for bots and browsers, so there may be more of these than cores.
WORKERS ?= 3
# In the matrices two a core keep the cores busy; with more, an answer may come later than a bot waits for it.
MATRIX_WORKERS ?= 4

.PHONY: demo run test test-all check audit pins screenshots
.DEFAULT_GOAL := demo

demo: $(VENV)/.for-development
	$(BIN)/python -m sandbox $(ARGS)

run: $(VENV)/.for-running
	$(BIN)/python -m bot $(ARGS)

test: $(VENV)/.for-development
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

# The matrices are spread test by test: a file of them is longer than all the others together.
test-all: test
	$(BIN)/python -m pytest -n $(MATRIX_WORKERS) --dist worksteal -m matrix $(ARGS)

screenshots: $(VENV)/.for-development
	$(BIN)/python docs/screenshots.py

check: $(VENV)/.for-development
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(VENV)/.for-supply
	$(VENV)/supply/bin/python -m supply.advisories requirements.txt requirements-dev.txt

# --universal: for every platform and every Python from 3.11 on, from whichever machine it is run.
PIN := $(VENV)/supply/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make pins"
pins: $(VENV)/.for-supply
	$(PIN) requirements.in -o requirements.txt
	$(PIN) requirements-dev.in -o requirements-dev.txt
	$(PIN) requirements-supply.in -o requirements-supply.txt
	$(MAKE) $(VENV)/.for-development
	$(BIN)/python -m supply.licences

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Keydesk needs Python 3.11 or newer: install it, or name it: make PYTHON=..."; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

# Installed again only when the pins change. Each file must have one of the hashes that stand beside its pin.
INSTALL := -m pip install --disable-pip-version-check --require-hashes -r
$(VENV)/.for-running: requirements.txt | $(BIN)/python
	@echo "Installing what the bot needs (once)"
	$(BIN)/python $(INSTALL) requirements.txt
	@touch $@

$(VENV)/.for-development: requirements.txt requirements-dev.txt | $(BIN)/python
	@echo "Installing what the bot, the sandbox and the tests need (a minute, once)"
	$(BIN)/python $(INSTALL) requirements-dev.txt
	@touch $@ $(VENV)/.for-running

$(VENV)/.for-supply: requirements-supply.txt | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)/supply
	$(VENV)/supply/bin/python $(INSTALL) requirements-supply.txt
	@touch $@
