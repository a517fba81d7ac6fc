"""How long it takes until many residents are known at every door: `python -m tests.sharing.load`.

A provisioned site with a real broker, a hub with SQLite, and doors with real stores, all on this machine.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.consent.notice import SHARED
from edge.consent.rules import Statement, consent_from
from edge.domain import Template
from edge.service.sharing.keys import signing_key
from edge.site.provision import Site
from edge.store.face_book import PENDING, HeldFace, Reach
from edge.wire.faces.certificate import SALT_BYTES, FaceRow, commitment_of, make_body
from facegate_hub.service import Hub, database_url
from tests.loopback import free_port
from tests.sharing.gates import CLOCK, Gate, accept, open_window, put_people
from tests.sharing.rig import DIM, MODEL
from tests.sync.broker import Broker
from tests.sync.doors import Eager
from tests.waiting import wait_until

PATIENCE = 3600.0


def enrol_all(gate, people, doors):
    """Enrol many at once, as the page does for each; four vectors a face."""
    rig, rng, held, reach, faces, consents = gate.rig, np.random.default_rng(1), [], [], {}, []
    for who in people:
        rows = rng.normal(size=(4, DIM)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        consent = consent_from(Statement(who, agrees=True, notice=SHARED, doors=doors), "staff", CLOCK.now())
        unsigned = rig.desk._certificate(consent, MODEL, "notice")
        kinds = ("shot", "shot", "shot", "mean")
        pairs = list(zip(kinds, rows, strict=True))
        body = make_body(
            unsigned, [FaceRow(kind, row.tobytes()) for kind, row in pairs], secrets.token_bytes(SALT_BYTES)
        )
        text = replace(unsigned, commitment=commitment_of(body)).signed(signing_key(rig.book))
        held.append((HeldFace(consent.id, who, MODEL, text, None), body))
        reach += [Reach(consent.id, door, who, PENDING) for door in doors]
        faces[who] = [Template(who, row, MODEL, CLOCK.now(), kind, consent.id) for kind, row in pairs]
        consents.append(consent)
    rig.ledger.record_all(consents)
    rig.store.put_faces(faces)
    rig.book.expect(reach)
    rig.book.hold(held)


def measure(folder, residents, doors):
    """Return (seconds until all are known everywhere, seconds until the next one is)."""
    port, names = free_port(), [f"door-{number}" for number in range(doors)]
    site = folder / "site"
    made = Site.create(site, "load", "127.0.0.1", port)
    for name in names:
        made.add_door(name)
    people = [f"flat-{number:05}" for number in range(residents)]
    with ExitStack() as stack:
        stack.enter_context(Broker.of_site(site, port))
        hub = Hub(site, database_url(site), rng=Eager())
        hub.start()
        stack.callback(hub.stop)
        gates = {name: stack.enter_context(Gate(folder / name, site, name, port)) for name in names}
        accept(site, gates)
        put_people(hub, [*people, "next"])
        here = [gate for name, gate in gates.items() if name != names[0]]
        wait_until(lambda: all(len(gate.rig.book.peers()) == doors - 1 for gate in gates.values()))
        wait_until(
            lambda: all(gate.rig.roster.state().count == residents + 1 for gate in gates.values()), 120
        )
        open_window(hub, names[0])
        began = time.monotonic()
        enrol_all(gates[names[0]], people, tuple(names[1:]))
        print(f"enrolled after {time.monotonic() - began:.1f} s", flush=True)  # noqa: T201
        told = 0.0
        while any(len(gate.rig.exchange.counting()) < residents for gate in here):
            time.sleep(0.2)
            if time.monotonic() - told > 15:
                told = time.monotonic()
                counts = [len(gate.rig.exchange.counting()) for gate in here]
                print(f"{told - began:.0f} s: {counts}", flush=True)  # noqa: T201
            assert time.monotonic() - began < PATIENCE
        all_known = time.monotonic() - began
        open_window(hub, names[0])
        began = time.monotonic()
        gates[names[0]].rig.enrol("next", *names[1:])
        while any(len(gate.rig.exchange.counting()) <= residents for gate in here):
            time.sleep(0.02)
        return all_known, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--residents", type=int, default=5000)
    parser.add_argument("--doors", type=int, default=6)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        all_known, one = measure(Path(folder), wish.residents, wish.doors)
    print(  # noqa: T201
        f"{wish.residents} residents known at {wish.doors} doors after {all_known:.1f} s;"
        f" one more {one:.2f} s after the enrolment"
    )


if __name__ == "__main__":
    main()
