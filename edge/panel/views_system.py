"""The device itself: network and broker, backup, and what it is made of."""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from edge.errors import PanelRefused
from edge.events import Kind
from edge.panel.pictures import qr_of
from edge.words import message
from edge.words.retold import LINK, told_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge.panel.asking import Ask
    from edge.panel.network import NetworkState

MOST_LETTERS = 60
"""Some libraries put their whole licence into the field for its name."""

FOR_DEVELOPERS = re.compile(r"extra == .dev")


def network(ask: Ask) -> Response:
    """Return how the door is connected. There is no secret on it: no password, no key."""
    state = ask.desk.network() if ask.desk.network else None
    address = own_address(ask, state) if state and state.addresses and not state.is_local else ""
    problem = state.broker.problem if state and state.broker else None
    told = told_of(problem, LINK) if problem else ""
    said = "" if isinstance(told, str) else ask.tell(told)
    picture = qr_of(address) if address else ""
    return ask.page("network.html", state=state, address=address, qr=picture, told=said)


def own_address(ask: Ask, state: NetworkState) -> str:
    """Return the page's address for another device; never what this browser calls it."""
    first, port = state.addresses[0], ask.request.url.port or 443
    host = f"[{first}]" if ":" in first else first
    return f"https://{host}/" if port == 443 else f"https://{host}:{port}/"


def certificate(ask: Ask) -> Response:
    """Return the page's certificate, for whoever compares or installs it. It is public."""
    state = ask.desk.network() if ask.desk.network else None
    if state is None or not state.certificate:
        raise PanelRefused(message("panel.not_connected"))
    headers = {"Content-Disposition": 'attachment; filename="facegate-door.crt"'}
    return Response(state.certificate, media_type="application/x-x509-ca-cert", headers=headers)


def backup(ask: Ask) -> Response:
    """Return the form that makes a backup."""
    return ask.page("backup.html", can_back_up=ask.desk.back_up is not None)


def make_backup(ask: Ask) -> Response:
    """Return an encrypted backup as a download, logged before it is made; the device keeps no copy."""
    if ask.desk.back_up is None:
        raise PanelRefused(message("panel.no_backup"))
    passphrase = ask.form.get("passphrase", "")
    if passphrase != ask.form.get("again", ""):
        raise PanelRefused(message("panel.not_the_same"))
    with ask.desk.doing(Kind.PANEL_BACKUP, by=ask.session.user, address=ask.address):
        file = ask.desk.back_up(passphrase)
    day = ask.desk.clock.now().strftime("%Y-%m-%d")
    return FileResponse(
        file,
        media_type="application/octet-stream",
        filename=f"facegate-{ask.desk.door_id}-{day}.fgb",
        background=BackgroundTask(file.unlink, missing_ok=True),
    )


def about(ask: Ask) -> Response:
    """Return versions, licences, hashes and what protects the templates."""
    return ask.page("about.html", facts=ask.desk.facts, components=list(_components()))


def _components() -> Iterator[tuple[str, str, str]]:
    """Yield (name, version, licence) of every library that facegate needs and that is installed."""
    needed = [line for line in metadata.requires("facegate") or () if not FOR_DEVELOPERS.search(line)]
    names = {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed}
    for name in sorted(names, key=str.lower):
        try:
            found = metadata.metadata(name).json
        except metadata.PackageNotFoundError:
            continue
        yield str(found["name"]), str(found["version"]), _licence(found)


def _licence(found: Mapping[str, str | list[str]]) -> str:
    """Return the licence in its shortest form: an SPDX expression, a short field, or a classifier."""
    told = str(found.get("license_expression") or found.get("license") or "")
    if told and len(told) <= MOST_LETTERS and "\n" not in told:
        return told
    classified = [
        line.rsplit("::", 1)[-1].strip() for line in found.get("classifier", ()) if "License" in line
    ]
    return ", ".join(classified) or "?"
