"""The power goes in the middle of a withdrawal: at the next start it is finished, at every step."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.domain import Consent, Resident, Template
from edge.runtime.clock import ManualClock
from edge.service.chores.retention import FaceKeeping
from edge.store.consents import ConsentLedger
from edge.store.keyring import Keyring
from edge.store.residents import ResidentStore
from tests.present import present
from tests.store.traces import found_in
from tests.waiting import PATIENCE

AT = datetime(2026, 3, 1, tzinfo=UTC)
CROWD = 80
"""People around: enough that pages of the files were filled, split and moved."""


def template(who, seed):
    vector = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return Template(who, vector / np.linalg.norm(vector), "m1", AT, consent_id=f"c-{who}")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "door"
    with (
        closing(ResidentStore(folder / "residents.db")) as store,
        closing(ConsentLedger(folder / "consents.db")) as ledger,
    ):
        for n in np.random.default_rng(0).permutation(CROWD):
            who = f"r-{n:03}"
            store.put(Resident(who, f"Name {n}"), [template(who, int(n))])
            ledger.record(Consent(f"c-{who}", who, AT, "2026-1", "en", "door", "desk-1"))
    return folder


CUT = """
    import os, shutil, sqlite3, sys
    from datetime import UTC, datetime
    from pathlib import Path
    original, left = Path(sys.argv[1]), 0

    def before(statement):
        global left
        if statement.split()[0] in {"UPDATE", "DELETE", "COMMIT", "VACUUM"} or "checkpoint" in statement:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), 9)

    class Traced(sqlite3.Connection):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.set_trace_callback(before)

    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **options: connect(*args, factory=Traced, **options)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from edge.enrol.withdrawal import WithdrawalDesk
    from edge.event_log.log import EventLog
    from edge.replay.door import MemoryJournal
    from edge.runtime.clock import ManualClock
    from edge.store.consents import ConsentLedger
    from edge.store.residents import ResidentStore

    def withdraw(folder, step):
        global left
        store, ledger = ResidentStore(folder / "residents.db"), ConsentLedger(folder / "consents.db")
        left = step
        key, clock = Ed25519PrivateKey.generate(), ManualClock(datetime(2026, 4, 1, tzinfo=UTC))
        events = EventLog(MemoryJournal(), clock)
        WithdrawalDesk("gate", store, ledger, lambda: key, clock, events).withdraw("r-060", "desk-1")

    for step in range(1, 60):
        folder = original.with_name(f"cut-{step}")
        shutil.copytree(original, folder)
        if (child := os.fork()) == 0:
            withdraw(folder, step)
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if ended == 0:
            break
        if ended != -9:
            sys.exit("a withdrawal that nobody cut short did not come to its end")
    else:
        sys.exit("no withdrawal came to its end")
"""


def keys_of(store: ResidentStore) -> Keyring:
    """Return the keys under which this store seals."""
    assert isinstance(store.sealer, Keyring)
    return store.sealer


def own_key(folder):
    """Return the wrapped key and the sealed template of the one who withdraws, as they lie in the files."""
    with closing(ResidentStore(folder / "residents.db")) as store:
        wrapped = keys_of(store)._wrapped("r-060")
        ((sealed,),) = store.query("SELECT sealed FROM templates WHERE resident_id = 'r-060'")
    return {"wrapped key": wrapped[0], "sealed template": bytes(sealed)}


def test_a_withdrawal_cut_short_at_any_step_is_finished_at_the_next_start(data):
    traces = {
        f"{what} from {n}": run[n : n + 12] for what, run in own_key(data).items() for n in range(0, 48, 12)
    }
    assert found_in(data, traces)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(CUT), data]
    subprocess.run(command, check=True, timeout=PATIENCE)
    folders = sorted(data.parent.glob("cut-*"))
    assert len(folders) > 8
    stayed = []
    for folder in folders:
        FaceKeeping(folder, ManualClock(AT), lambda _: None, lambda: 0.0).begin()
        stayed.append(gone_or_untouched(folder, traces))
        shutil.rmtree(folder)
    assert stayed.count(True) >= 2, "some were cut before the consent was ended"
    assert stayed.count(False) >= 2, "some after it"


def gone_or_untouched(folder, traces):
    """Before the consent was ended nothing happened; from then on the face is gone for good."""
    with (
        closing(ResidentStore(folder / "residents.db")) as store,
        closing(ConsentLedger(folder / "consents.db")) as ledger,
    ):
        is_in_force = "c-r-060" in ledger.in_force()
        assert bool(store.templates_of("r-060")) == is_in_force
        assert ("r-060" in store.sealer.people()) == is_in_force
        assert len(store.sealer.people()) == CROWD - (not is_in_force), "the others keep their faces"
        assert present(store.get("r-060")).name == "Name 60", "PIN and card go on"
    assert bool(found_in(folder, traces)) == is_in_force
    return is_in_force


def test_no_key_of_anybody_who_left_stays_in_free_pages(data):
    """Half of them leave in any order: pages are freed, merged and moved."""
    with closing(ResidentStore(data / "residents.db")) as store:
        gone = {}
        for n in np.random.default_rng(1).permutation(CROWD)[: CROWD // 2]:
            who = f"r-{n:03}"
            gone[f"key of {who}"] = keys_of(store)._wrapped(who)[0][13:45]
            store.remove(who)
            store.put(Resident(f"new-{n}", "N"), [template(f"new-{n}", int(n))])
        assert found_in(data, gone) == []
    assert found_in(data, gone) == []
