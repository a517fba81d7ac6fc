"""The units: hardened, without a word of complaint from systemd, and what they promise the door."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.cli import EXIT_CONFIG
from edge.config import load_settings
from edge.store.site_key import CREDENTIAL, NEW_CREDENTIAL
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
EXAMPLE = UNITS / "config.toml"
NAMES = ("facegate.service", "facegate-relay.service")
ALL = sorted(path.name for path in UNITS.glob("*.service"))
GOAL = 2.0

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed: apt install systemd"
)


class Unit(configparser.RawConfigParser):
    """A unit file; the last of repeated keys wins, which is all these tests ask for."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, comment_prefixes=("#",), interpolation=None)
        self.optionxform = str  # type: ignore[assignment,method-assign]
        self.read(UNITS / name)


def runnable(name: str) -> str:
    """Return the unit with programs that exist on this machine."""
    return re.sub(r"/opt/facegate(?:-hub)?/bin/(facegate|python)", sys.executable, (UNITS / name).read_text())


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    words = list(map(str, command))
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)


@needs_systemd
@pytest.mark.parametrize("name", ALL)
def test_the_sandbox_is_at_least_as_tight_as_promised(name: str) -> None:
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", UNITS / name)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= GOAL


@needs_systemd
@pytest.mark.parametrize("name", ALL)
def test_systemd_finds_nothing_to_say(name: str, tmp_path: Path) -> None:
    """Unknown keys are only said on stderr: the exit code stays 0."""
    for unit in ALL:
        (tmp_path / unit).write_text(runnable(unit))
    done = run("systemd-analyze", "verify", tmp_path / name)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_the_check_would_notice_a_misspelt_key(tmp_path: Path) -> None:
    (tmp_path / NAMES[1]).write_text(runnable(NAMES[1]).replace("NoNewPrivileges=", "NoNewPrivilege="))
    assert "NoNewPrivilege" in run("systemd-analyze", "verify", tmp_path / NAMES[1]).stderr


def test_whatever_stops_the_guard_the_relay_is_put_at_rest() -> None:
    service = Unit("facegate-relay.service")["Service"]
    assert service["ExecStopPost"].split()[1:3] == ["-m", "edge.relay.rest"]
    assert service["ExecStopPost"].split()[-1] == service["ExecStart"].split()[-1], "the same configuration"
    assert service["RuntimeDirectory"] == "facegate"


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_restarts_for_ever_but_not_with_a_broken_configuration(name: str) -> None:
    unit = Unit(name)
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Service"]["Restart"] == "always"
    assert unit["Service"]["RestartPreventExitStatus"] == str(EXIT_CONFIG)


@pytest.mark.parametrize("name", NAMES)
def test_a_hang_ends_with_the_watchdog(name: str) -> None:
    service = Unit(name)["Service"]
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"].removesuffix("s")) <= 10
    assert service["WatchdogSignal"] == "SIGKILL"


def test_door_and_guard_are_two_users_who_share_a_group() -> None:
    door, guard = (Unit(name)["Service"] for name in NAMES)
    assert door["User"] != guard["User"]
    assert door["Group"] == guard["Group"]
    declared = (UNITS / "sysusers.conf").read_text()
    for user in (door["User"], guard["User"]):
        assert f"u {user} " in declared
    for group in {*door["SupplementaryGroups"].split(), *guard["SupplementaryGroups"].split()}:
        assert f"g {group} " in declared


def members(group: str) -> set[str]:
    """Return who is in a group of the property's machine, as sysusers is told."""
    declared = (UNITS / "sysusers-hub.conf").read_text()
    assert re.search(rf"^g {group} ", declared, re.MULTILINE)
    return set(re.findall(rf"^m (\S+) {group}$", declared, re.MULTILINE))


def test_hub_console_page_and_signer_are_four_users_in_the_groups_of_what_they_share() -> None:
    declared = (UNITS / "sysusers-hub.conf").read_text()
    for name in ("hub", "console", "page", "signer"):
        service = Unit(f"facegate-{name}.service")["Service"]
        assert service["User"] == service["Group"] == f"facegate-{name}"
        assert f"u {service['User']} " in declared
    assert members("facegate-staff") == {"facegate-hub", "facegate-console"}
    assert members("facegate-community") == {"facegate-hub", "facegate-console", "facegate-page"}


@pytest.mark.parametrize("name", ["hub", "console", "page"])
def test_what_they_share_is_shared_before_each_of_them_starts(name: str) -> None:
    unit, site = Unit(f"facegate-{name}.service"), Unit("facegate-site.service")
    assert "facegate-site.service" in unit["Unit"]["After"].split()
    assert "facegate-site.service" in unit["Unit"]["Wants"].split(), "wanted: doors do not wait for it"
    assert f"facegate-{name}.service" in site["Unit"]["Before"].split()
    assert site["Service"]["Type"] == "oneshot"
    assert "RemainAfterExit" not in site["Service"], "else it ran once"
    assert "StateDirectory" not in unit["Service"], "it would give all of the folder to one user"


def test_who_shares_is_the_owner_and_may_set_the_bit_of_a_shared_folder() -> None:
    site, hub = (Unit(f"facegate-{name}.service")["Service"] for name in ("site", "hub"))
    assert site["User"] == hub["User"]
    text = (UNITS / "facegate-site.service").read_text()
    assert "SystemCallFilter=@chown" in text
    for kept_from in ("RestrictSUIDSGID", "PrivateUsers"):  # the latter hides groups of others
        assert kept_from not in text


def test_the_console_asks_the_signer_that_the_hub_starts_unless_told_otherwise() -> None:
    lines = (UNITS / "facegate-console.service").read_text().splitlines()
    own = next(line for line in lines if line.startswith("Environment=FACEGATE_SIGNER="))
    assert own.endswith("/site/signer/signer.sock")
    assert lines.index(own) < lines.index("EnvironmentFile=-/etc/facegate/hub.env"), (
        "the file has the last word"
    )


def test_the_residents_page_sees_neither_staff_s_database_nor_the_signer() -> None:
    page, signer = (Unit(f"facegate-{name}.service")["Service"] for name in ("page", "signer"))
    hidden = [one.partition(":")[0] for one in page["TemporaryFileSystem"].split()]
    assert hidden == ["/var/lib/facegate-hub", "/run"]
    assert page["BindPaths"] == "/var/lib/facegate-hub/site/community"
    shown = page["BindReadOnlyPaths"].split()
    assert "-/var/lib/facegate-hub/site/staff/terms.toml" in shown
    socket = signer["Environment"].removeprefix("FACEGATE_SIGNER=")
    assert socket.startswith(f"/run/{signer['RuntimeDirectory']}/")
    assert not [one for one in shown if socket.startswith(one.lstrip("-"))]
    assert page["PrivateUsers"] == "yes", "else it could look into the console's memory"


def test_secrets_come_from_the_credential_store_and_are_named_as_the_door_asks_for_them() -> None:
    text = (UNITS / "facegate.service").read_text()
    given = set(re.findall(r"^LoadCredentialEncrypted=(\S+)$", text, re.MULTILINE))
    assert given == {
        CREDENTIAL,
        NEW_CREDENTIAL,
        "mqtt-password",
    }  # no path: without one the door still starts
    example = EXAMPLE.read_text()
    assert "/run/credentials/facegate.service/mqtt-password" in example


def test_door_and_guard_keep_their_runtime_folders_apart() -> None:
    door, guard = (Unit(name)["Service"] for name in NAMES)
    assert door["RuntimeDirectory"] != guard["RuntimeDirectory"]
    assert door["RuntimeDirectoryMode"] == "0700"


def test_the_guard_has_no_network_and_no_camera() -> None:
    guard = Unit("facegate-relay.service")["Service"]
    assert guard["RestrictAddressFamilies"] == "AF_UNIX"
    assert guard["PrivateNetwork"] == "yes"
    assert guard["DeviceAllow"] == "char-gpiochip rw"


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_sysusers_makes_the_property_s_users_and_groups(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = run("systemd-sysusers", f"--root={tmp_path}", UNITS / "sysusers-hub.conf")
    assert done.returncode == 0, done.stderr
    lines = [line.split(":") for line in (tmp_path / "etc/group").read_text().splitlines()]
    groups = {name: set(people.split(",")) for name, _, _, people in lines}
    for name in ("facegate-staff", "facegate-community"):
        assert groups[name] == members(name)


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_sysusers_makes_both_users(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = run("systemd-sysusers", f"--root={tmp_path}", UNITS / "sysusers.conf")
    assert done.returncode == 0, done.stderr
    users = (tmp_path / "etc/passwd").read_text()
    assert "facegate:" in users
    assert "facegate-relay:" in users


def test_the_example_configuration_is_one(tmp_path: Path) -> None:
    settings = load_settings(EXAMPLE)
    assert settings.lock.driver == "gpio"
    assert settings.mqtt is None


def test_every_commented_setting_of_the_example_is_one_too(tmp_path: Path) -> None:
    text = (EXAMPLE).read_text()
    everything = tmp_path / "config.toml"
    everything.write_text(re.sub(r"^#(?=\[|[a-z_]+ = )", "", text, flags=re.MULTILINE))
    settings = load_settings(everything)
    assert settings.sensors.contact is not None
    assert settings.held.quiet_from == "22:00"
    assert settings.mqtt is not None


def test_a_default_shown_in_the_example_is_the_default(tmp_path: Path) -> None:
    """What is commented out of the tables that are in use, switched on, changes nothing."""
    tables = r"^#?\[(sensors|mqtt|access|site|panel).*?(?=^$|^\[)"
    in_use = re.sub(tables, "", EXAMPLE.read_text(), flags=re.DOTALL | re.MULTILINE)
    switched_on = tmp_path / "config.toml"
    switched_on.write_text(re.sub(r"^#(?=(?!quiet)[a-z_]+ = )", "", in_use, flags=re.MULTILINE))
    assert "\nunlock_seconds = 5" in switched_on.read_text()
    assert load_settings(switched_on) == load_settings(EXAMPLE)


def test_install_puts_every_file_in_its_place(tmp_path: Path) -> None:
    done = run("env", f"DESTDIR={tmp_path}", ROOT / "install.sh", "door")
    assert done.returncode == 0, done.stderr
    placed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert placed == {
        "etc/facegate/config.toml",
        "etc/systemd/system/facegate.service",
        "etc/systemd/system/facegate-relay.service",
        "etc/udev/rules.d/60-facegate.rules",
        "usr/lib/modules-load.d/facegate.conf",
        "usr/share/bash-completion/completions/facegate",
        "usr/lib/sysusers.d/facegate.conf",
        "usr/lib/tmpfiles.d/facegate.conf",
    }


def test_installing_the_hub_puts_every_unit_of_its_in_its_place(tmp_path: Path) -> None:
    done = run("env", f"DESTDIR={tmp_path}", ROOT / "install.sh", "hub")
    assert done.returncode == 0, done.stderr
    placed = {path.name for path in (tmp_path / "etc/systemd/system").iterdir()}
    assert placed == set(ALL) - set(NAMES)
    assert (tmp_path / "usr/lib/sysusers.d/facegate-hub.conf").exists()


def test_installing_the_hub_starts_anew_what_runs_and_removing_takes_each_unit_away() -> None:
    text = (ROOT / "install.sh").read_text()
    restarted = next(line for line in text.splitlines() if line.strip().startswith("started facegate-signer"))
    units = {name.removesuffix(".service") for name in set(ALL) - set(NAMES)}
    assert set(restarted.split()[1:]) == units - {"facegate-site"}, "which each of them starts"
    removed = text[text.index("remove_hub()") :].partition("\n}\n")[0]
    assert {name for name in units if f"/etc/systemd/system/{name}.service" in removed} == units


def test_install_again_keeps_the_configuration(tmp_path: Path) -> None:
    for _ in range(2):
        assert run("env", f"DESTDIR={tmp_path}", ROOT / "install.sh", "door").returncode == 0
        (tmp_path / "etc/facegate/config.toml").write_text("# edited\n")
    assert run("env", f"DESTDIR={tmp_path}", ROOT / "install.sh", "door").returncode == 0
    assert (tmp_path / "etc/facegate/config.toml").read_text() == "# edited\n"


def test_rules_that_the_settings_propose_are_where_the_service_may_write() -> None:
    """They were proposed beside the settings, where the service may only read: no form could save."""
    proposed = re.search(r'^#rules = "([^"]+)"', EXAMPLE.read_text(), re.MULTILINE)
    assert proposed is not None
    folder = str(Path(proposed[1]).parent)
    assert Unit("facegate.service").get("Service", "ReadWritePaths") == f"-{folder}"
    assert f"d {folder} 0770 root facegate -" in (UNITS / "tmpfiles.conf").read_text()
    assert folder in (UNITS / "rules.toml").read_text()
