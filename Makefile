# The commands a newcomer needs. Each installs what it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint install-dev debian clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo   see the door work: no hardware, no broker, no network after install"
	@echo "make test   lint, types, import rules and every test, with a real broker and real models"
	@echo "make lint   ruff, mypy, import-linter"

$(BIN)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

install-dev: $(BIN)/.installed

models: $(BIN)/.installed
	$(BIN)/facegate models install --demo

demo: models
	$(BIN)/facegate demo

debian:
	tools/debian-packages

lint: $(BIN)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: debian lint models
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
