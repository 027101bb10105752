# make demo         Try Keydesk: a local Slack workspace in the browser, a local AWS and the real bot. No account is needed.
# make run          Run the bot with the settings of .env.
# make test         Run the unit, integration and browser tests. For some: make test ARGS="tests/browser -k press".
#                   For one after the other: make test WORKERS=1.
# make test-unit    Run the unit tests alone.
# make test-all     Run all tests and the whole verification. With EVERY_FAULT=1, run all faults and not a sample of
#                   2,000.
# make check        Check layout, style, words, types, and who may import whom.
# make audit        Ask the package index for known vulnerabilities, and check docs/licences.md. With STRICT=1, fail
#                   when the index does not answer.
# make pins         Write uv.lock, requirements*.txt and docs/licences.md from pyproject.toml. To take newer versions
#                   of what the libraries need: make pins ARGS=--upgrade.
# make docs         Write the generated pages of docs/ and .env.example again.
# make screenshots  Take the README's pictures again. This needs a browser.
# make help         Print this list.
#
# Only Python 3.11 or newer is needed. What a target needs is installed into .venv the first time.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
AUDIT_BIN := $(VENV)/audit/bin
ARGS ?=
# Tests mostly wait for bots and browsers, so there may be more workers than cores.
WORKERS ?= 3
# In the matrices, two workers for each core keep the cores busy. With more, answers may come too late for the bots.
MATRIX_WORKERS ?= 4

.PHONY: demo run test test-unit test-all check audit pins docs screenshots help
.DEFAULT_GOAL := demo

demo: $(VENV)/.for-demo
	$(BIN)/python -m sandbox $(ARGS)

run: $(VENV)/.for-running
	$(BIN)/python -m bot $(ARGS)

# What `make test` runs where ARGS names no path: of the verification only what takes a few seconds.
TEST_PATHS := tests/unit tests/integration tests/browser tests/verification/matrix/test_answers.py \
	tests/verification/simulation/test_simulation.py
PYTEST := $(BIN)/python -m pytest

test: $(VENV)/.for-development
	$(PYTEST) -n $(WORKERS) --dist loadfile $(if $(findstring tests/,$(ARGS)),,$(TEST_PATHS)) $(ARGS)

test-unit: $(VENV)/.for-development
	$(PYTEST) -n $(WORKERS) --dist loadfile tests/unit $(ARGS)

# The matrices are spread test by test, because one of their files takes longer than all the others together.
test-all: $(VENV)/.for-development
	$(PYTEST) -n $(WORKERS) --dist loadfile $(ARGS)
	$(PYTEST) -n $(MATRIX_WORKERS) --dist worksteal -m matrix $(ARGS)

docs: $(VENV)/.for-development
	$(BIN)/python -m bot.config.reference
	$(BIN)/python -m tools.pages

screenshots: $(VENV)/.for-development
	$(BIN)/python -m docs.screenshots

check: $(VENV)/.for-development
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check .
	$(BIN)/python tools/check_words.py
	$(BIN)/mypy
	$(BIN)/lint-imports

LICENCES := sh tools/licences.sh $(AUDIT_BIN)/pip-licenses $(BIN)/python
audit: $(VENV)/.for-audit $(VENV)/.for-development
	@sh tools/audit.sh $(AUDIT_BIN)/pip-audit requirements-dev.txt requirements-audit.txt
	@$(LICENCES) | diff docs/licences.md - || { echo "docs/licences.md is stale. Run 'make pins'."; exit 1; }

# The exports are for every platform and every Python from 3.11 on.
EXPORT := $(AUDIT_BIN)/uv export --quiet --frozen --no-default-groups --no-emit-project
pins: $(VENV)/.for-audit
	$(AUDIT_BIN)/uv lock $(ARGS)
	$(EXPORT) --only-group pip --output-file requirements-pip.txt
	$(EXPORT) --output-file requirements.txt
	$(EXPORT) --group demo --output-file requirements-demo.txt
	$(EXPORT) --group dev --output-file requirements-dev.txt
	$(EXPORT) --only-group audit --output-file requirements-audit.txt
	$(MAKE) $(VENV)/.for-audit $(VENV)/.for-development
	$(LICENCES) > docs/licences.md

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Keydesk needs Python 3.11 or newer. Install it, or name it: make PYTHON=..."; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

# Each stamp stands for one requirements file, which is installed again only when it changes.
# Each download must match a hash in the file, and nothing is built from its source.
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := install --require-hashes --only-binary :all:

# The pip that comes with Python may be old, and then takes twice as long to install everything else.
$(VENV)/.for-installing: requirements-pip.txt | $(BIN)/python
	@$(PIP) --quiet $(INSTALL) -r requirements-pip.txt
	@touch $@

$(VENV)/.for-running: requirements.txt | $(VENV)/.for-installing
	@echo "Installing what the bot needs (once)"
	@$(PIP) $(INSTALL) -r requirements.txt
	@touch $@

# Without compiling: the demo imports a small part of what is installed, and Python compiles that at the first start.
$(VENV)/.for-demo: requirements-demo.txt | $(VENV)/.for-installing
	@echo "Installing what the bot and the sandbox need (once)"
	@$(PIP) $(INSTALL) --no-compile -r requirements-demo.txt
	@touch $@ $(VENV)/.for-running

$(VENV)/.for-development: requirements-dev.txt | $(VENV)/.for-installing
	@echo "Installing what the bot, the sandbox, the tests and the checks need (once)"
	@$(PIP) $(INSTALL) -r requirements-dev.txt
	@touch $@ $(VENV)/.for-demo $(VENV)/.for-running

# In an environment of its own, so that it cannot change what the tests run with.
$(VENV)/.for-audit: requirements-audit.txt | $(VENV)/.for-installing
	@echo "Installing uv, pip-audit and pip-licenses (once)"
	@$(BIN)/python -m venv --without-pip $(VENV)/audit
	@$(PIP) --python $(AUDIT_BIN)/python $(INSTALL) -r requirements-audit.txt
	@touch $@
