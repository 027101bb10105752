# make demo    a local Slack workspace in the browser, with AWS and the bot: no account needed anywhere
# make run     the bot itself, with the settings of .env
# make test    all tests (make test ARGS="tests/core -k approve" for some; WORKERS=1: one after the other)
# make test-all  these, and the full matrices of crashes and faults (-m matrix for the matrices alone)
# make screenshots   the README's pictures, anew (needs Chromium)
# make check   style, types, and who may import whom

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Tests mostly wait for bots and browsers, so there may be more of these than cores.
WORKERS ?= 3

.PHONY: demo run test test-all check screenshots
.DEFAULT_GOAL := demo

demo: $(VENV)/.for-development
	$(BIN)/python -m sandbox $(ARGS)

run: $(VENV)/.for-running
	$(BIN)/python -m bot $(ARGS)

test: $(VENV)/.for-development
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

# The matrices are spread test by test: a file of them is longer than all the others together.
test-all: test
	$(BIN)/python -m pytest -n $(WORKERS) --dist load -m matrix $(ARGS)

screenshots: $(VENV)/.for-development
	$(BIN)/python docs/screenshots.py

check: $(VENV)/.for-development
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Keydesk needs Python 3.11 or newer: install it, or name it: make PYTHON=..."; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

# Installed again only when the pins change.
$(VENV)/.for-running: requirements.txt | $(BIN)/python
	@echo "Installing what the bot needs (once)"
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.for-development: requirements.txt requirements-dev.txt | $(BIN)/python
	@echo "Installing what the bot, the sandbox and the tests need (a minute, once)"
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.for-running
