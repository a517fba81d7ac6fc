# The same commands for those who have make. Each installs what it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PYTHON VENV

.PHONY: demo test lint install install-files uninstall kill-trials clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo   see the door work: no hardware, no broker, no network after install"
	@echo "make test   lint, types, import rules and every test, with a real broker and real models"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make install  put the service on this Debian or Raspberry Pi OS board (as root; docs/install.md); make uninstall"

demo test lint:
	scripts/$@

# The door as a service. DESTDIR is for packages and tests. Run it again to upgrade.
PREFIX ?= /opt/facegate
SYSTEMD := systemd
EXTRAS ?= pi,models,panel,passes,holidays,metrics
PLACED := /etc/systemd/system/facegate.service /etc/systemd/system/facegate-relay.service \
  /usr/lib/sysusers.d/facegate.conf /usr/lib/tmpfiles.d/facegate.conf /usr/lib/modules-load.d/facegate.conf \
  /etc/udev/rules.d/60-facegate.rules

# Everything is fetched before anything is replaced: a download that fails leaves the old door as it was.
install:
	umask 022 && $(PYTHON) -m venv $(VENV_FLAGS) $(PREFIX)
	wheels=$$(mktemp -d) && trap 'rm -rf "$$wheels"' EXIT && umask 022 && \
	  $(PREFIX)/bin/pip wheel --quiet --wheel-dir "$$wheels" ".[$(EXTRAS)]" && \
	  $(PREFIX)/bin/pip install --quiet --no-index --no-deps --force-reinstall "$$wheels"/facegate-*.whl && \
	  $(PREFIX)/bin/pip install --quiet --no-index --find-links "$$wheels" "facegate[$(EXTRAS)]"
	$(MAKE) --no-print-directory install-files
	systemd-sysusers /usr/lib/sysusers.d/facegate.conf
	systemd-tmpfiles --create /usr/lib/tmpfiles.d/facegate.conf
	install -d -o facegate -g facegate -m 0700 /var/lib/facegate
	STATE_DIRECTORY=/var/lib/facegate $(PREFIX)/bin/facegate models install
	chown -R facegate:facegate /var/lib/facegate
	systemctl daemon-reload
	test ! -S /run/udev/control || { udevadm control --reload && udevadm trigger --subsystem-match=gpio; }
	systemctl try-restart facegate-relay facegate || \
	  { echo "installed, but the door did not come up: journalctl -u facegate-relay -u facegate"; exit 1; }
	@echo "edit /etc/facegate/config.toml, then follow docs/install.md: the first hour"

# Residents, journal and configuration stay.
uninstall:
	systemctl disable --now facegate facegate-relay
	rm -f $(PLACED)
	rm -rf $(PREFIX)
	systemctl daemon-reload
	@echo "kept: /var/lib/facegate, /etc/facegate and the users facegate and facegate-relay"

install-files:
	install -D -m 0644 -t $(DESTDIR)/etc/systemd/system $(SYSTEMD)/facegate.service $(SYSTEMD)/facegate-relay.service
	install -D -m 0644 $(SYSTEMD)/sysusers.conf $(DESTDIR)/usr/lib/sysusers.d/facegate.conf
	install -D -m 0644 $(SYSTEMD)/tmpfiles.conf $(DESTDIR)/usr/lib/tmpfiles.d/facegate.conf
	install -D -m 0644 $(SYSTEMD)/modules-load.conf $(DESTDIR)/usr/lib/modules-load.d/facegate.conf
	install -D -m 0644 -t $(DESTDIR)/etc/udev/rules.d $(SYSTEMD)/60-facegate.rules
	test -e $(DESTDIR)/etc/facegate/config.toml || \
	  install -D -m 0640 $(SYSTEMD)/config.toml $(DESTDIR)/etc/facegate/config.toml

# Eight minutes: caller and guard killed and hung while the relay is energised, 240 times.
kill-trials:
	$(BIN)/python -m tests.hardware.kill_trials --trials 240

clean:
	rm -rf $(VENV) demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
