"""Looks at each part of a door; none changes anything, and none disturbs a door that runs."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from edge.broker.causes import cause_of
from edge.errors import FacegateError
from edge.events import Kind
from edge.faces.liveness.fusion import WEAK_NETWORKS
from edge.faces.liveness.load import WAY_TO_THE_PAIR, best_set
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked
from edge.findings import CheckupFinding, amber, green, red, typed
from edge.here import EVERYWHERE, reached_at
from edge.runtime.clock_trust import FARTHEST_LEAP
from edge.runtime.kept_time import CLOCK_FILE, read_kept
from edge.runtime.machine_time import system_is_synchronised
from edge.service.checkup import boot
from edge.site.lives import WARNING, door_called, door_until
from edge.words import zone_told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, tzinfo

    from edge.config.settings import LockSection, Settings
    from edge.service.checkup.recently import RecentEvents
    from edge.words import Message

PATIENCE_SECONDS = 4.0
"""How long broker, page and guard may take to answer."""
INSTALL = typed("models install")
TO_THE_PAIR = typed(WAY_TO_THE_PAIR.removeprefix("facegate "))
CONFIRM = typed("clock --confirm")
BACK_UP = typed("backup FILE")
RENEW = "facegate provision renew"
MAKE_ROOM = "journalctl --vacuum-size=100M; apt clean"
LOW_MB, TIGHT_MB, SMALL_MB = 200, 1_000, 10_000
"""Free space: the journal's reserve is gone below the first; an update needs the second; from the third on it
is told in gigabytes."""

_REVERSED = re.compile(r"Etc/GMT([+-])([1-9]\d?)", re.ASCII)


def models(settings: Settings, directory: Path) -> CheckupFinding:
    """Return whether the files of recognition are there and whole."""
    try:
        manifest = load_manifest()
        wanted = [manifest.model(settings.recognition.model)]
        wanted += [model for model in manifest.models.values() if model.default and model.is_needed]
        for model in wanted:
            checked(model, directory)
    except FacegateError as error:
        return red("models", "missing", problem=str(error), command=INSTALL)
    return green("models", "fine", model=settings.recognition.model)


def liveness(settings: Settings, directory: Path) -> CheckupFinding:
    """Return what tells living faces from pictures here."""
    section = settings.recognition
    if section.liveness == "off":
        return liveness_off()
    try:
        names = section.liveness_networks or best_set(directory)
        for name in names:
            checked(load_manifest().model(name), directory)
    except FacegateError as error:
        return red("liveness", "missing", problem=str(error), command=INSTALL)
    if set(names) <= set(WEAK_NETWORKS):
        return liveness_weak()
    return green("liveness", "fine", networks=list(names))


def liveness_off() -> CheckupFinding:
    """Return what there is to say of a door that takes photos for people."""
    return red("liveness", "off", setting='recognition.liveness = "passive"')


def liveness_weak() -> CheckupFinding:
    """Return what there is to say of a door with the packaged network alone."""
    return amber("liveness", "weak", networks=list(WEAK_NETWORKS), command=TO_THE_PAIR)


def guard(settings: Settings, recent: RecentEvents, is_running: bool) -> CheckupFinding:  # noqa: FBT001
    """Return whether somebody holds the relay line."""
    section = settings.lock
    if section.driver == "dry-run":
        return red("guard", "dry", setting='lock.driver = "dry-run"', wanted='lock.driver = "gpio"')
    if is_running:
        lost = recent.since_start(Kind.LOCK_GUARD_LOST, Kind.LOCK_GUARD_BACK)
        if lost is not None and lost.kind == Kind.LOCK_GUARD_LOST:
            return red(
                "guard", "lost", socket=str(section.guard_socket), command="journalctl -u facegate-relay"
            )
        return _at_boot(section)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as attempt:
        attempt.settimeout(PATIENCE_SECONDS)
        try:
            attempt.connect(str(section.guard_socket))
        except OSError:
            return red(
                "guard", "lost", socket=str(section.guard_socket), command="journalctl -u facegate-relay"
            )
    return _at_boot(section)


def _at_boot(section: LockSection) -> CheckupFinding:
    """Return that the guard answers, and whether the board drives the relay's line before it does."""
    told = boot.read(boot.MODEL), boot.read(boot.COMMAND_LINE)
    is_high = bool(section.active_high)
    if section.pin is not None and boot.is_driven(
        section.pin, active_high=is_high, board=told[0], command_line=told[1]
    ):
        return amber("guard", "boots", setting=f"lock.pin = {section.pin}", example="lock.pin = 17")
    return green("guard", "fine")


def inputs(settings: Settings) -> CheckupFinding:
    """Return which inputs are wired, as the settings say."""
    names = ("contact", "rex", "tamper", "fire", "bell")
    wired = [name for name in names if getattr(settings.sensors, name) is not None]
    chips = sorted(Path("/dev").glob("gpiochip*"))
    if wired and not chips:
        return red("inputs", "missing", command="ls /dev/gpiochip*", setting="[sensors]")
    if wired and not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        return red("inputs", "closed", chips=[str(chip) for chip in chips], group="gpio")
    if not wired:
        return amber("inputs", "none", setting="sensors.contact")
    if "contact" not in wired:
        return amber("inputs", "blind", wired=wired, setting="sensors.contact")
    return green("inputs", "fine", wired=wired)


def page(settings: Settings, is_running: bool) -> CheckupFinding:  # noqa: FBT001
    """Return whether the door's page answers, or could."""
    section = settings.panel
    if not section.enabled:
        return green("page", "off")
    # "All addresses" is nothing to connect to.
    host = "127.0.0.1" if section.host in EVERYWHERE else section.host
    address = f"https://{reached_at(section.host)}:{section.port}"
    answers = _answers(host, section.port)
    if is_running and not answers:
        return red("page", "silent", address=address, command="journalctl -u facegate")
    if not is_running and answers:
        return red("page", "taken", port=section.port, command="ss -ltnp", setting="panel.port")
    return green("page", "fine", address=address)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), PATIENCE_SECONDS).close()
    except OSError:
        return False
    return True


def clock(data: Path, now: datetime, zone: tzinfo, machine: tzinfo | None = None) -> CheckupFinding:
    """Return whether the time can be believed; times are told as the site's clocks show them.

    `machine` is the zone of the machine's own clock, None for what this one has.
    """
    kept = read_kept(data / CLOCK_FILE)
    shown = {"now": f"{now.astimezone(zone):%Y-%m-%d %H:%M}", "zone": zone_told(zone)}
    floor = "" if kept.floor is None else f"{kept.floor.astimezone(zone):%Y-%m-%d %H:%M}"
    if kept.floor is not None and now < kept.floor:
        return red("clock", "behind", **shown, floor=floor, command=CONFIRM)
    if kept.floor is not None and now - kept.floor > FARTHEST_LEAP:
        return red("clock", "ahead", **shown, floor=floor, command=CONFIRM)
    if kept.disputed is not None:
        return red("clock", "disputed", **shown, command=CONFIRM)
    if kept.floor is not None and not kept.is_vouched:
        return amber("clock", "unconfirmed", **shown, command=CONFIRM)
    if doubt := _doubtful_zone(now, zone, machine, shown):
        return doubt
    is_set = system_is_synchronised()
    return (
        green("clock", "fine", **shown)
        if is_set
        else amber("clock", "unsynchronised", **shown, command=CONFIRM)
    )


def _doubtful_zone(
    now: datetime, zone: tzinfo, machine: tzinfo | None, shown: Mapping[str, Message | str]
) -> CheckupFinding | None:
    """Return what speaks against the site's zone, if anything: rules by the hour would hold at other hours.

    Etc/GMT+8 is eight hours west of Greenwich (POSIX counts so), and no door of China means that. A machine
    that was given a zone has its site's; UTC is what it has without.
    """
    told = {**shown, "setting": "door.timezone", "example": "Asia/Shanghai"}
    if meant := _REVERSED.fullmatch(str(zone)):
        other = f"Etc/GMT{'-' if meant[1] == '+' else '+'}{meant[2]}"
        return amber("clock", "reversed", **told, meant=other)
    here, there = now.astimezone(machine), now.astimezone(zone)
    if here.utcoffset() and here.utcoffset() != there.utcoffset():
        return amber("clock", "elsewhere", **told, here=f"{here:%H:%M}")
    return None


def card(data: Path, recent: RecentEvents) -> CheckupFinding:
    """Return whether the disk takes and gives what it should."""
    free = shutil.disk_usage(data).free // 2**20
    shown = f"{free:,} MB" if free < SMALL_MB else f"{free // 1024:,} GB"
    if recent.problem is not None:
        return red("card", "journal", problem=recent.problem, command=typed("events verify"))
    if (event := recent.trouble(Kind.HEALTH_STORAGE)) is not None and event.data.get("state") == "failing":
        return red("card", "failing", file=str(event.data.get("file", "-")), command=BACK_UP)
    if not os.access(data, os.W_OK):
        return red("card", "readonly", folder=str(data))
    if free < LOW_MB:
        full = red("card", "full", free=shown, command=MAKE_ROOM)
        return full if free else red("card", "none", command=MAKE_ROOM)
    if free < TIGHT_MB:
        return amber("card", "tight", free=shown, command=MAKE_ROOM)
    return green("card", "fine", free=shown)


def broker(settings: Settings) -> CheckupFinding:
    """Return whether the property's broker can be reached with this door's certificate."""
    section = settings.mqtt
    if section is None:
        return green("broker", "none")
    address = f"{section.host}:{section.port}"
    try:
        with socket.create_connection((section.host, section.port), PATIENCE_SECONDS) as plain:
            if section.tls:
                context = ssl.create_default_context(cafile=section.ca_file)
                if section.cert_file is not None:
                    context.load_cert_chain(section.cert_file, section.key_file)
                context.wrap_socket(plain, server_hostname=section.host).close()
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        return broker_unreached(address, cause_of(error, PATIENCE_SECONDS))
    return green("broker", "fine", address=address)


def certificate(settings: Settings, now: datetime) -> CheckupFinding:
    """Return whose the door's certificate is, and how long it is valid: a warning for sixty days."""
    section = settings.mqtt
    until = None if section is None else door_until(section.cert_file, section.ca_file)
    if section is None or until is None:
        return green("certificate", "none")
    name, meant = door_called(section.cert_file), settings.door.id
    # The broker lets such a door in and drops what it says, so that it looks connected. Only of a property's
    # bundle is it known that the certificate has the door's name.
    if section.trusted_keys is not None and name not in (None, meant):
        place = f"doors/{meant}"
        return red("certificate", "other", other=name, id=meant, setting="door.id", folder=place)
    day, days = f"{until:%Y-%m-%d}", (until - now).days
    if until <= now:
        return red("certificate", "ended", until=day, command=RENEW)
    if until - now < WARNING:
        return amber("certificate", "ending", until=day, days=days, command=RENEW)
    return green("certificate", "fine", until=day)


def broker_unreached(address: str, problem: Message | str) -> CheckupFinding:
    """Return what there is to say of a broker that does not answer; events are kept meanwhile."""
    return red("broker", "unreached", address=address, problem=problem, setting="mqtt.host")
