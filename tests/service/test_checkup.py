"""`facegate doctor`: what is wrong is red, with the way out, and nothing is disturbed."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

import edge.service.checkup
from edge.cli import app
from edge.config import load_settings
from edge.domain import EventDraft, Resident
from edge.events import Kind
from edge.findings import Light, worst
from edge.panel.network import BrokerState
from edge.runtime.clock import ManualClock
from edge.runtime.kept_time import CLOCK_FILE, KeptTime, write_kept
from edge.service.checkup import boot, parts, picture
from edge.service.checkup.door import look_at
from edge.service.checkup.inside import FRESH_SECONDS, DoorCheckup
from edge.service.checkup.recently import RecentEvents
from edge.service.own_folder import OwnFolder
from edge.store.journal import SqliteJournal
from edge.store.residents import ResidentStore
from edge.words import LANGUAGES, has, message, names, say
from tests.loopback import free_port
from tests.present import present

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
DRY = '[lock]\ndriver = "dry-run"\n'


class Site:
    """A door's folder and settings, changed by each test."""

    def __init__(self, place: Path) -> None:
        self.place, self.data = place, place / "data"
        self.data.mkdir()

    def look(self, more: str = "", source: str = "/nowhere/clip.mp4", models: Path | None = None):
        """Return the findings by name."""
        text = f'[door]\nid = "gate-1"\n[camera]\nsource = "{source}"\n{more}'
        (self.place / "c.toml").write_text(
            text if "[lock]" in more else text + '\n[lock]\ndriver = "dry-run"\n'
        )
        found = look_at(load_settings(self.place / "c.toml"), self.data, models or self.data / "models", NOW)
        return {one.name: one for one in found}

    def wrote(self, *events: tuple[Kind, dict[str, Any]]) -> None:
        journal = SqliteJournal(self.data / "journal.db", "gate-1", boot="b", clock_trust=lambda: "synced")
        for kind, data in events:
            journal.append(EventDraft(kind, NOW - timedelta(days=40), 1.0, data=data))
        journal.close()


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_each_finding_is_told_in_every_language_with_a_way_out():
    """And no text is left that nothing says."""
    used = {f"light_{light}" for light in Light}
    for path in Path(edge.service.checkup.__file__).parent.glob("*.py"):
        for light, name, what in re.findall(r'\b(green|amber|red)\(\s*"(\w+)",\s*"(\w+)"', path.read_text()):
            used |= {name, f"{name}_{what}"} | ({f"{name}_{what}_way_out"} if light != "green" else set())
    assert used == set(names("checkup."))
    assert all(has(f"checkup.{name}") for name in used)


def test_a_door_without_anything_is_red_and_says_what_to_do(site):
    """Nothing raises, whatever is missing."""
    found = site.look()
    assert {name for name, one in found.items() if one.light is Light.RED} >= {
        "guard",
        "camera",
        "models",
        "liveness",
    }
    for one in found.values():
        for language in LANGUAGES:
            assert one.what.said(language)
            assert (one.way_out is None) == (one.light is Light.GREEN)
    assert worst(found.values()) is Light.RED


@pytest.mark.parametrize(
    ("called", "told"),
    [
        ("/opt/facegate/bin/facegate", "sudo /opt/facegate/bin/facegate backup FILE"),
        (".venv/bin/facegate", ".venv/bin/facegate backup FILE"),
    ],
)
def test_a_way_out_can_be_typed_as_it_stands(tmp_path, called, told):
    """An installed door has its command where no shell looks for it: command not found, it said."""
    assert way_out(called, tmp_path) == told
    (tmp_path / "facegate").symlink_to(sys.executable)
    assert way_out(called, tmp_path) == "facegate backup FILE"


def way_out(called, path):
    """Return a way out as a process says it that was `called` so, in a shell that looks into `path`."""
    code = (
        "import sys; sys.argv[0] = sys.argv[1]\nfrom edge.findings import typed; print(typed('backup FILE'))"
    )
    words = [sys.executable, "-c", code, called]
    ran = subprocess.run(words, env={"PATH": str(path)}, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


@pytest.mark.parametrize(
    ("levels", "light", "told"),
    [
        (["resident"], Light.RED, "lets none of 1 in"),
        (["resident", "cleaner"], Light.AMBER, "no level of 1 people"),
        (["cleaner"], Light.GREEN, "rules.toml"),
    ],
)
def test_people_whom_the_rules_give_nothing_are_told(site, levels, light, told):
    """Rules with one level more, and without that of the residents, locked all of them out; all was green."""
    rules = site.place / "rules.toml"
    rules.write_text('[levels.cleaner]\nschedule = "always"\n')
    store = ResidentStore(site.data / "residents.db")
    store.put_people(Resident(f"one-{level}", "Anna", access_levels=(level,)) for level in levels)
    store.close()
    found = site.look(f'[access]\nrules = "{rules}"\n')["rules"]
    assert (found.light, told in found.what.said("en")) == (light, True), found.what.said("en")


def test_a_password_of_the_camera_is_not_shown(site):
    """Only what follows it."""
    found = site.look(source=f"rtsp://me:secret@127.0.0.1:{free_port()}/stream")["camera"]
    assert found.light is Light.RED
    assert "secret" not in found.what.said()


def test_while_the_door_runs_its_journal_tells_of_camera_and_guard(site):
    """Opening them a second time would take them away from it."""
    site.wrote((Kind.HEALTH_CAMERA, {"state": "lost", "detail": "unplugged"}), (Kind.LOCK_GUARD_LOST, {}))
    own = OwnFolder(site.data)
    try:
        found = site.look()
        assert found["service"].light is Light.GREEN
        assert found["camera"].light is Light.RED
        assert "unplugged" in found["camera"].what.said()
        site.wrote((Kind.HEALTH_CAMERA, {"state": "back"}))
        assert site.look()["camera"].light is Light.GREEN
    finally:
        own.close()
    assert site.look()["service"].light is Light.AMBER


def test_what_was_mended_while_the_door_was_off_is_not_told_of_the_door_that_runs(site):
    """Each start looks at camera and guard anew, and tells of them only where something is wrong."""
    site.look('[lock]\ndriver = "gpio"\npin = 17\nactive_high = true\nlock_wiring = "fail-secure"\n')
    site.wrote((Kind.HEALTH_CAMERA, {"state": "lost", "detail": "unplugged"}), (Kind.LOCK_GUARD_LOST, {}))
    settings = load_settings(site.place / "c.toml")
    assert parts.guard(settings, RecentEvents(site.data), is_running=True).light is Light.RED
    site.wrote((Kind.SERVICE_STARTED, {}))
    recent = RecentEvents(site.data)
    assert picture.told(settings.camera, recent).light is Light.GREEN
    assert parts.guard(settings, recent, is_running=True).light is not Light.RED
    site.wrote((Kind.HEALTH_CAMERA, {"state": "lost", "detail": "still"}))
    recent.follow()
    assert "still" in picture.told(settings.camera, recent).what.said()


@pytest.mark.parametrize(
    ("floor", "light"),
    [(timedelta(days=-1), Light.AMBER), (timedelta(days=1), Light.RED), (timedelta(days=-4000), Light.RED)],
)
def test_a_clock_that_cannot_be_right_is_red(site, floor, light):
    """Before what is certain, or years after it; unsynchronised is something to look at."""
    write_kept(site.data / CLOCK_FILE, KeptTime(floor=NOW + floor))
    assert site.look()["clock"].light in (light, Light.GREEN if light is Light.AMBER else light)


@pytest.mark.parametrize(
    ("zone", "machine", "told"),
    [
        ("Etc/GMT+8", "UTC", "Etc/GMT-8"),
        ("Etc/GMT-8", "Asia/Shanghai", "Etc/GMT+8"),
        ("UTC", "Asia/Shanghai", "own clock shows"),
        ("Asia/Shanghai", "Europe/Berlin", "own clock shows"),
    ],
)
def test_a_zone_that_may_not_be_the_sites_is_told_with_both_times(site, zone, machine, told):
    found = parts.clock(site.data, NOW, ZoneInfo(zone), ZoneInfo(machine))
    assert found.light is Light.AMBER
    assert told in found.what.said("en")
    assert found.way_out is not None
    assert "door.timezone" in found.way_out.said("zh")


@pytest.mark.parametrize(
    ("zone", "machine"),
    [("Asia/Shanghai", "UTC"), ("Asia/Shanghai", "Asia/Taipei"), ("UTC", "UTC"), ("Etc/GMT", "UTC")],
)
def test_a_zone_that_nothing_speaks_against_is_none_of_this(site, zone, machine):
    said = parts.clock(site.data, NOW, ZoneInfo(zone), ZoneInfo(machine)).what.said("en")
    assert "own clock" not in said
    assert "sign" not in said


def test_the_clock_is_told_in_the_sites_time(site):
    """An installer compares it with their watch."""
    write_kept(site.data / CLOCK_FILE, KeptTime(NOW))
    text = f'[door]\nid = "gate-1"\ntimezone = "Asia/Shanghai"\n[camera]\nsource = "0"\n{DRY}'
    (site.place / "c.toml").write_text(text)
    settings = load_settings(site.place / "c.toml")
    found = parts.clock(site.data, NOW, ZoneInfo(settings.door.timezone))
    assert "2026-11-29 20:00" in found.what.said("en")
    assert "2026-11-29 20:00（北京时间）" in found.what.said("zh")


@pytest.mark.parametrize(
    ("pin", "active_high", "command_line", "is_driven"),
    [
        (2, True, "", True),
        (3, True, "", True),
        (3, False, "", False),
        (4, True, "", False),
        (14, True, "console=serial0,115200 console=tty1 root=x", True),
        (14, False, "console=ttyAMA0,115200", True),
        (14, True, "console=tty1 root=x", False),
        (17, True, "console=serial0,115200", False),
    ],
)
def test_a_line_that_the_board_drives_while_it_boots_is_known(pin, active_high, command_line, is_driven):
    for board, expected in (("Raspberry Pi 4 Model B Rev 1.4\0", is_driven), ("", False), ("Some PC", False)):
        assert (
            boot.is_driven(pin, active_high=active_high, board=board, command_line=command_line) == expected
        )


def test_a_machine_without_a_gpio_chip_is_told_so(site):
    """There is no name of a chip to tell."""
    found = site.look('[sensors.contact]\npin = 22\ncontact = "nc"\n')["inputs"]
    if not [*Path("/dev").glob("gpiochip*")]:
        assert "no GPIO chip" in found.what.said("en")


@pytest.mark.parametrize(
    ("kept", "name"),
    [
        (KeptTime(NOW, disputed=NOW, is_vouched=True), "checkup.clock_disputed"),
        (KeptTime(NOW), "checkup.clock_unconfirmed"),
    ],
)
def test_a_clock_that_nobody_stands_behind_is_told_with_the_way_out(site, kept, name):
    write_kept(site.data / CLOCK_FILE, kept)
    found = site.look()["clock"]
    assert found.what.id == name
    assert "facegate clock --confirm" in str(found.way_out)


def test_a_broker_that_nobody_answers_for_is_red_and_events_are_kept(site):
    """The address stands in the words."""
    port = free_port()
    found = site.look(f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\ntls = false\n')["broker"]
    assert found.light is Light.RED
    assert f"127.0.0.1:{port}" in found.what.said()
    with socket.create_server(("127.0.0.1", port)):
        found = site.look(f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\ntls = false\n')["broker"]
    assert found.light is Light.GREEN


def test_a_page_whose_port_somebody_else_has_is_red(site):
    """It is the door's only while the door runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        panel = f"[panel]\nenabled = true\nport = {port}\n"
        assert site.look(panel)["page"].light is Light.RED
        own = OwnFolder(site.data)
        assert site.look(panel)["page"].light is Light.GREEN
        own.close()
    assert site.look(panel)["page"].light is Light.GREEN


def test_liveness_that_is_off_is_red(site):
    """Whatever is installed."""
    found = site.look('[recognition]\nliveness = "off"\n')["liveness"]
    assert found.light is Light.RED
    assert "passive" in found.way_out.said("zh")


def test_an_old_backup_is_something_to_look_at(site):
    """The days are counted."""
    site.wrote((Kind.PANEL_BACKUP, {}))
    found = site.look()["backup"]
    assert found.light is Light.AMBER
    assert "40" in found.what.said()


def test_events_are_read_once_and_a_new_journal_from_its_beginning(site):
    """What was read is not read again, and what comes counts."""
    site.wrote((Kind.HEALTH_CAMERA, {"state": "lost", "detail": "unplugged"}))
    recent = RecentEvents(site.data)
    assert present(recent.trouble(Kind.HEALTH_CAMERA)).data["detail"] == "unplugged"
    site.wrote((Kind.HEALTH_CAMERA, {"state": "back"}))
    recent.follow()
    assert recent.trouble(Kind.HEALTH_CAMERA) is None
    for path in site.data.glob("journal.db*"):
        path.unlink()
    site.wrote((Kind.HEALTH_CAMERA, {"state": "lost", "detail": "again"}))
    recent.follow()
    assert present(recent.trouble(Kind.HEALTH_CAMERA)).data["detail"] == "again"


def test_what_a_journal_that_was_replaced_told_counts_no_longer(site):
    """The new one counts from 1 again."""
    site.wrote(*[(Kind.HEALTH_CAMERA, {"state": "back"})] * 5, (Kind.LOCK_GUARD_LOST, {}))
    recent = RecentEvents(site.data)
    for path in site.data.glob("journal.db*"):
        path.unlink()
    site.wrote((Kind.SERVICE_STARTED, {}))
    recent.follow()
    assert recent.since_start(Kind.LOCK_GUARD_LOST) is None


def test_a_running_door_looks_at_itself_for_its_page(site):
    """What it knows is not looked at twice, and ten seconds are one look."""
    site.look()
    clock = ManualClock()
    unmatched: dict[str, str] = {}
    brokers: list[BrokerState | None] = [None]
    checkup = DoorCheckup(
        lambda: load_settings(site.place / "c.toml"),
        site.data,
        clock,
        lambda: (2, unmatched),
        lambda: brokers[-1],
        "weak",
    )
    found = {one.name: one for one in checkup.findings()}
    assert found["residents"].light is Light.GREEN
    assert found["liveness"].light is Light.AMBER
    assert found["broker"].light is Light.GREEN
    unmatched["3栋1203"] = "consent_missing"
    brokers.append(BrokerState("hub:8883", is_connected=False, waiting=4, problem="refused"))
    assert {one.name: one.light for one in checkup.findings()}["residents"] is Light.GREEN
    clock.advance(FRESH_SECONDS)
    found = {one.name: one for one in checkup.findings()}
    assert "3栋1203" in found["residents"].what.said("zh")
    assert found["broker"].light is Light.RED


def test_the_command_prints_findings_and_fails_while_one_is_red(site):
    """For people in their language, for programs as JSON."""
    site.look()
    typed = ["doctor", "--config", str(site.place / "c.toml"), "--data", str(site.data)]
    told = CliRunner().invoke(app, [*typed, "--language", "zh"])
    assert told.exit_code == 1
    assert say("checkup.guard_dry", "zh", setting='lock.driver = "dry-run"') in told.output
    plain = json.loads(CliRunner().invoke(app, [*typed, "--json"]).output)
    assert plain["light"] == "red"
    assert {"name", "light", "what", "way_out"} == set(plain["findings"][0])


LOST = {"state": "lost", **message("camera.cannot_open", name="0").recorded("detail")}


@pytest.mark.parametrize(("data", "told"), [(LOST, "无法打开摄像头"), ({"state": "covered"}, "遮挡")])
def test_a_dead_camera_is_told_in_the_readers_language(site, data, told):
    """The event holds English for programs; a covered camera has no error of its own to tell."""
    site.look()
    site.wrote((Kind.HEALTH_CAMERA, data))
    section = load_settings(site.place / "c.toml").camera
    said = picture.told(section, RecentEvents(site.data)).what.said("zh")
    assert told in said
    assert not re.search(r"cannot|[:：] -", said)


def test_a_picture_of_another_shape_is_told_until_the_door_is_started_anew(site):
    site.look()
    site.wrote((Kind.HEALTH_PICTURE, {"state": "reshaped", "was": "1920x1080", "now": "640x480"}))
    section = load_settings(site.place / "c.toml").camera
    found = picture.told(section, RecentEvents(site.data))
    assert found.light is Light.AMBER
    assert "1920x1080" in found.what.said("zh")
    site.wrote((Kind.SERVICE_STARTED, {}))
    assert picture.told(section, RecentEvents(site.data)).light is Light.GREEN


NO_ROOM = Path("/proc")
"""A file system that has none."""


@pytest.mark.skipif(not os.access(NO_ROOM, os.W_OK), reason="only root may write there")
def test_a_full_card_says_what_that_means(site):
    found = parts.card(NO_ROOM, RecentEvents(site.data))
    assert found.light is Light.RED
    assert "kept in memory only" in found.what.said("en")
