"""How long it takes until many residents are known at every door: `python -m tests.sharing.load`.

A provisioned site with a real broker, a hub with SQLite, and doors with real stores. Hub and doors are
processes of their own, as they are machines of their own at a site: each tells its use of a processor.
"""

from __future__ import annotations

import argparse
import multiprocessing
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
from edge.site.sharing import SharingDoors, SharingRequest
from edge.store.face_book import PENDING, HeldFace, Reach
from edge.wire.faces.certificate import SALT_BYTES, FaceRow, commitment_of, make_body
from facegate_hub.database_urls import database_url
from facegate_hub.service import Hub
from tests.loopback import free_port
from tests.sharing.gates import CLOCK, Gate, open_window, put_people
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


class GateAnswers:
    """What the process of a door is asked."""

    def __init__(self, gate):
        self.gate = gate

    def key(self):
        return self.gate.rig.listed().key

    def peers(self):
        return len(self.gate.rig.book.peers())

    def residents(self):
        return self.gate.rig.roster.state().count

    def known(self):
        return len(self.gate.rig.exchange.counting())

    def enrol_all(self, people, doors):
        enrol_all(self.gate, people, doors)

    def enrol(self, who, *doors):
        self.gate.rig.enrol(who, *doors)

    def cpu(self):
        return time.process_time()


class HubAnswers:
    """What the process of the hub is asked."""

    def __init__(self, hub):
        self.hub = hub

    def put(self, people):
        put_people(self.hub, people)

    def open_window(self, door):
        open_window(self.hub, door)

    def cpu(self):
        return time.process_time()


def answer(pipe, answers):
    """Answer questions until there are no more."""
    pipe.send(None)
    while (asked := pipe.recv()) is not None:
        name, words = asked
        pipe.send(getattr(answers, name)(*words))


def gate_process(pipe, *words):
    """Be one door."""
    with Gate(*words) as gate:
        answer(pipe, GateAnswers(gate))


def hub_process(pipe, site):
    """Be the hub."""
    hub = Hub(site, database_url(site), rng=Eager())
    hub.start()
    try:
        answer(pipe, HubAnswers(hub))
    finally:
        hub.stop()


class Asked:
    """Another process of the trial; calls are sent to it."""

    def __init__(self, target, *words):
        here, there = multiprocessing.Pipe()
        self._pipe = here
        self._process = multiprocessing.get_context("spawn").Process(target=target, args=(there, *words))
        self._process.start()
        here.recv()

    def __getattr__(self, name):
        def call(*words):
            self._pipe.send((name, words))
            return self._pipe.recv()

        return call

    def end(self):
        self._pipe.send(None)
        self._process.join(60.0)


def measure(folder, residents, doors):
    """Return (seconds until all are known everywhere, seconds until the next one is, CPU by who used it)."""
    port, names = free_port(), [f"door-{number}" for number in range(doors)]
    site = folder / "site"
    made = Site.create(site, "load", "127.0.0.1", port)
    for name in names:
        made.add_door(name)
    people = [f"flat-{number:05}" for number in range(residents)]
    with ExitStack() as stack:
        stack.enter_context(Broker.of_site(site, port))
        hub = Asked(hub_process, site)
        stack.callback(hub.end)
        gates = {name: Asked(gate_process, folder / name, site, name, port) for name in names}
        for gate in gates.values():
            stack.callback(gate.end)
        for name, gate in gates.items():
            request = SharingRequest(name, gate.key())
            SharingDoors(site).accept(request, request.fingerprint, ["enrols", "receives"])
        hub.put([*people, "next"])
        first, *others = gates.values()
        wait_until(lambda: all(gate.peers() == doors - 1 for gate in gates.values()))
        wait_until(
            lambda: all(gate.residents() == residents + 1 for gate in gates.values()), seconds=PATIENCE
        )
        hub.open_window(names[0])
        before = {"hub": hub.cpu(), **{name: gate.cpu() for name, gate in gates.items()}}
        began = time.monotonic()
        first.enrol_all(people, tuple(names[1:]))
        print(f"enrolled after {time.monotonic() - began:.1f} s", flush=True)  # noqa: T201
        told = 0.0
        while min(counts := [gate.known() for gate in others]) < residents:
            time.sleep(0.2)
            if time.monotonic() - told > 15:
                told = time.monotonic()
                print(f"{told - began:.0f} s: {counts}", flush=True)  # noqa: T201
            assert time.monotonic() - began < PATIENCE
        all_known = time.monotonic() - began
        used = {"hub": hub.cpu(), **{name: gate.cpu() for name, gate in gates.items()}}
        used = {name: seconds - before[name] for name, seconds in used.items()}
        hub.open_window(names[0])
        began = time.monotonic()
        first.enrol("next", *names[1:])
        while min(gate.known() for gate in others) <= residents:
            time.sleep(0.02)
        return all_known, time.monotonic() - began, used


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--residents", type=int, default=5000)
    parser.add_argument("--doors", type=int, default=6)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        all_known, one, used = measure(Path(folder), wish.residents, wish.doors)
    print(  # noqa: T201
        f"{wish.residents} residents known at {wish.doors} doors after {all_known:.1f} s;"
        f" one more {one:.2f} s after the enrolment"
    )
    for name, seconds in used.items():
        print(f"{name}: {seconds:.1f} s of a processor, {1000 * seconds / wish.residents:.1f} ms a face")  # noqa: T201


if __name__ == "__main__":
    main()
