# The same commands for those who have make. Each installs what it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PYTHON VENV

.PHONY: demo test lint install install-hub uninstall uninstall-hub bundle wheels locks kill-trials clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo   see the door work: no hardware, no broker, no network after install"
	@echo "make test   lint, types, import rules and every test, with a real broker and real models"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make install  the door as a service on this board (as root; docs/install.md); make uninstall"
	@echo "make install-hub  the property's hub as a service on this machine (docs/hub.md)"
	@echo "make bundle one archive that installs without a network"

demo test lint:
	scripts/$@

# The door as a service on this board, the property's hub on its machine; install.sh has the options (OPTIONS=...).
install:
	scripts/install door $(OPTIONS)

install-hub:
	scripts/install hub $(OPTIONS)

uninstall:
	./install.sh remove door

uninstall-hub:
	./install.sh remove hub

# One archive for boards without a network; SIGNING_KEY=FILE signs it.
bundle:
	scripts/bundle

# Does every extra still have a wheel for every Python and machine? `make locks` takes newer versions.
wheels:
	tools/locks --check

locks:
	tools/locks

# Eight minutes: caller and guard killed and hung while the relay is energised, 240 times.
kill-trials:
	$(BIN)/python -m tests.hardware.kill_trials --trials 240

clean:
	rm -rf $(VENV) dist demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
