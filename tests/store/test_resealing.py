"""After a change of keys an old copy of them opens nothing that comes later, whoever writes meanwhile."""

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest

from edge.domain import Consent, Resident
from edge.errors import StoreError
from edge.store.consents import ConsentLedger
from edge.store.contexts import context_of, record_context
from edge.store.credentials import CredentialStore
from edge.store.key_source import KeySource, change_key, finish_renewal, keyring_of, use_source
from edge.store.keyring import Keyring
from edge.store.mending import open_residents
from edge.store.residents import ResidentStore
from edge.store.site_key import CREDENTIAL, KeyFile
from tests.present import present
from tests.store.test_residents import template

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def unit(tmp_path, monkeypatch):
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / CREDENTIAL).write_bytes(os.urandom(32))
    return {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}


@pytest.fixture
def data(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    with closing(ResidentStore(data / "residents.db")) as store:
        store.put(Resident("anna", "Anna"), [template("anna", 1)])
    with closing(ConsentLedger(data / "consents.db")) as ledger:
        ledger.record(consent("c1", "anna"))
    return data


def consent(identity, who):
    return Consent(
        id=identity,
        resident_id=who,
        given_at=NOW,
        is_minor=False,
        guardian=None,
        notice="n1",
        language="en",
        purpose="door",
        recorded_by="desk",
    )


def sealed_values(data):
    """Yield (what it is bound to, sealed) of everything in the folder."""
    with closing(sqlite3.connect(data / "residents.db")) as file:
        for who, name in file.execute("SELECT id, name FROM residents"):
            yield record_context("name", who), name
        for who, model, sealed in file.execute("SELECT resident_id, model_id, sealed FROM templates"):
            yield context_of(who, model), sealed
    with closing(sqlite3.connect(data / "consents.db")) as file:
        for identity, sealed in file.execute("SELECT id, sealed FROM consents"):
            yield record_context("consent", identity), sealed


def changes(unit):
    return {
        "rotated": lambda data: change_key(data, {}),
        "to a credential": lambda data: use_source(data, KeySource("credential"), unit),
    }


@pytest.mark.parametrize("how", ["rotated", "to a credential"])
def test_an_old_copy_of_the_keys_opens_nothing_from_the_change_on(tmp_path, data, unit, how):
    """Not even what was there before: all of it is sealed anew."""
    shutil.copytree(data, tmp_path / "thief")
    changes(unit)[how](data)
    environ = unit if how != "rotated" else {}
    with closing(ResidentStore(data / "residents.db", keyring_of(data, environ))) as store:
        store.put(Resident("mei", "Mei"), [template("mei", 7)])
        assert {one.id: one.name for one in store.list()} == {"anna": "Anna", "mei": "Mei"}
        assert len(store.templates("m1")) == 2
    thief = tmp_path / "thief"
    with closing(Keyring(thief / "keys.db", KeyFile(thief / "residents.key"))) as old:
        found = list(sealed_values(data))
        assert len(found) == 5
        for context, sealed in found:
            with pytest.raises(StoreError):
                old.open(sealed, context)


def test_people_who_are_enrolled_while_the_keys_change_keep_their_faces(data):
    """The door runs on: it writes in its own process at any moment of the change."""
    names: list[str]
    ended, names = threading.Event(), []

    def enrol():
        with closing(ResidentStore(data / "residents.db")) as store:
            while not ended.wait(0.01):
                who = f"r-{len(names)}"
                store.put(Resident(who, who.upper()), [template(who, len(names))])
                names.append(who)

    door = threading.Thread(target=enrol, daemon=True)
    door.start()
    try:
        for _ in range(3):
            change_key(data, {})
    finally:
        ended.set()
        door.join()
    with closing(ResidentStore(data / "residents.db")) as store:
        assert len(store.templates("m1")) == len(names) + 1
        assert all(present(store.get(who)).name == who.upper() for who in names)


def test_who_leaves_while_the_keys_change_leaves_no_key(data):
    with closing(ResidentStore(data / "residents.db")) as store:
        assert isinstance(store.sealer, Keyring)
        store.sealer.begin_renewal()
        store.put(Resident("mei", "Mei"), [template("mei", 7)])
        store.remove("anna")
        assert store.sealer.people() == ("mei",)
    assert finish_renewal(data, {})
    assert not finish_renewal(data, {}), "once"
    with closing(ResidentStore(data / "residents.db")) as store:
        assert len(store.templates("m1")) == 1


@pytest.mark.parametrize("name", ["residents.db", "consents.db", "credentials.db"])
def test_a_damaged_file_that_is_not_bound_yet_is_mended_first_and_then_bound(data, name):
    """A door that is upgraded on a damaged card starts: what binds its rows says so, and waits."""
    with closing(ConsentLedger(data / "consents.db")) as ledger:
        ledger.record(consent("c-2", "otto"))
    with closing(CredentialStore(data / "credentials.db")) as store:
        for number in range(40):
            store.put_card(f"hid:{number:07}", f"flat-{number}")
    with (data / name).open("r+b") as file:
        for page in range(4096, (data / name).stat().st_size, 4096):
            file.seek(page)
            file.write(b"\xff" * 64)
    with pytest.raises(StoreError, match="damaged"):
        finish_renewal(data)
    if name == "residents.db":  # of the others nothing can be read: a backup is worth more
        open_residents(data / name, datetime.now(UTC))[0].close()
        assert finish_renewal(data)
