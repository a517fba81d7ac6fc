"""What the card holds in plain is bound to its row: editing it gives nobody a right or a consent."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.domain import Resident
from edge.errors import KeyUnavailable, StoreDamaged
from edge.store.bound_rows import row_bytes
from edge.store.consents import ConsentLedger, bind_consent
from edge.store.key_source import KeySource, change_key, finish_renewal, keyring_of, use_source
from edge.store.residents import ResidentStore
from edge.store.site_key import CREDENTIAL, NEW_CREDENTIAL
from tests.store.test_resealing import consent
from tests.store.test_residents import template

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(params=["bound at once", "bound later", "keys changed"])
def door(request, tmp_path, monkeypatch):
    """A folder whose key is in a TPM, with Anna who has a face and a consent, Otto without, and old Mei."""
    data, credentials = tmp_path / "data", tmp_path / "credentials"
    data.mkdir()
    credentials.mkdir()
    (credentials / CREDENTIAL).write_bytes(os.urandom(32))
    if request.param == "bound at once":
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
        use_source(data, KeySource("credential"))
    with closing(ResidentStore(data / "residents.db")) as store:
        store.put(Resident("anna", "Anna"), [template("anna", 1, consent_id="c1")])
        store.put(Resident("otto", "Otto"), [template("otto", 2, consent_id="c2")])
        store.put(Resident("mei", "Mei", valid_until=NOW), [])
    with closing(ConsentLedger(data / "consents.db")) as ledger:
        ledger.record(consent("c1", "anna"))
        ledger.record(consent("c2", "otto"))
        ledger.withdraw("otto", NOW)
    if request.param == "bound later":
        for name in ("residents.db", "consents.db"):
            with closing(sqlite3.connect(data / name)) as file, file:  # as an older version left it
                for table in {"residents.db": ("residents", "templates"), "consents.db": ("consents",)}[name]:
                    file.execute(f"UPDATE {table} SET mark = NULL")
        assert len(names(data)) == 3, "until they are bound all count"
        assert finish_renewal(data)
        assert not finish_renewal(data)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    use_source(data, KeySource("credential"))
    return data


def names(data):
    with closing(ResidentStore(data / "residents.db")) as store:
        return {one.id: one.name for one in store.list()}


def edit(data, sql, name="residents.db"):
    with closing(sqlite3.connect(data / name)) as file, file:
        assert file.execute(sql).rowcount > 0


def test_what_this_door_wrote_counts(door):
    assert names(door) == {"anna": "Anna", "mei": "Mei", "otto": "Otto"}
    with closing(ResidentStore(door / "residents.db")) as store:
        assert store.edited() == ()
        assert len(store.templates("m1")) == 2
        assert bind_consent(store, consent("c3", "anna")) == 1
        assert store.templates_of("anna")[0].consent_id == "c3"
    with closing(ConsentLedger(door / "consents.db")) as ledger:
        assert set(ledger.in_force()) == {"c1"}
        assert [one.withdrawn_at for one in ledger.of("otto")] == [NOW]


@pytest.mark.parametrize(
    "sql",
    [
        """UPDATE residents SET access_levels = '["staff", "standing"]' WHERE id = 'mei'""",
        "UPDATE residents SET valid_until = NULL WHERE id = 'mei'",
        "UPDATE residents SET extended_unlock = 1 WHERE id = 'mei'",
        "UPDATE residents SET source = 'roster' WHERE id = 'mei'",
        "UPDATE residents SET mark = NULL WHERE id = 'mei'",
        "UPDATE residents SET name = (SELECT name FROM residents WHERE id = 'otto') WHERE id = 'mei'",
        "UPDATE residents SET mark = (SELECT mark FROM residents WHERE id = 'otto') WHERE id = 'mei'",
        "UPDATE residents SET id = 'mei-2' WHERE id = 'mei'",
    ],
)
def test_an_edited_resident_lets_nobody_in_and_costs_nobody_else(door, sql):
    edit(door, sql)
    assert set(names(door)) == {"anna", "otto"}
    with closing(ResidentStore(door / "residents.db")) as store:
        (edited,) = store.edited()
        with pytest.raises(StoreDamaged, match="edited"):
            store.get(edited)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE templates SET consent_id = 'c1' WHERE resident_id = 'otto'",
        "UPDATE templates SET enrolled_at = '2020-01-01T00:00:00+00:00' WHERE resident_id = 'otto'",
        "UPDATE templates SET kind = 'mean-2' WHERE resident_id = 'otto'",
        (
            "UPDATE templates SET sealed = (SELECT sealed FROM templates WHERE resident_id = 'anna')"
            " WHERE resident_id = 'otto'"
        ),
        "UPDATE templates SET resident_id = 'mei' WHERE resident_id = 'otto'",
    ],
)
def test_an_edited_face_matches_nobody(door, sql):
    edit(door, sql)
    with closing(ResidentStore(door / "residents.db")) as store:
        assert [one.resident_id for one in store.templates("m1")] == ["anna"]
        assert store.edited() in {("otto",), ("mei",)}


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE consents SET withdrawn_at = NULL WHERE id = 'c2'",
        (
            "UPDATE consents SET withdrawn_at = NULL, mark = (SELECT mark FROM consents WHERE id = 'c1')"
            " WHERE id = 'c2'"
        ),
        (
            "INSERT INTO consents (id, resident_id, given_at, sealed, mark)"
            " SELECT 'c9', 'otto', given_at, sealed, mark FROM consents WHERE id = 'c1'"
        ),
    ],
)
def test_nobody_s_consent_comes_back_or_becomes_another_s(door, sql):
    edit(door, sql, "consents.db")
    with closing(ConsentLedger(door / "consents.db")) as ledger:
        assert set(ledger.in_force()) == {"c1"}
    edit(door, "UPDATE consents SET resident_id = 'otto' WHERE id = 'c1'", "consents.db")
    with closing(ConsentLedger(door / "consents.db")) as ledger:
        assert ledger.in_force() == {}


def test_a_change_of_keys_blesses_nothing_that_was_edited(door, monkeypatch):
    edit(door, "UPDATE residents SET valid_until = NULL WHERE id = 'mei'")
    folder = Path(os.environ["CREDENTIALS_DIRECTORY"])
    (folder / NEW_CREDENTIAL).write_bytes(os.urandom(32))
    change_key(door)
    (folder / NEW_CREDENTIAL).replace(folder / CREDENTIAL)
    assert set(names(door)) == {"anna", "otto"}


def test_without_the_key_or_with_new_ones_nothing_that_was_edited_counts(door, monkeypatch):
    """Who has the card may take the keys away; that opens nothing."""
    edit(door, "UPDATE residents SET valid_until = NULL WHERE id = 'mei'")
    with monkeypatch.context() as outside:
        outside.delenv("CREDENTIALS_DIRECTORY")
        with closing(ResidentStore(door / "residents.db")) as store, pytest.raises(KeyUnavailable):
            store.get("mei")
    for path in door.glob("keys.db*"):
        path.unlink()
    assert names(door) == {}


def test_a_lost_key_on_the_card_itself_locks_nobody_out(tmp_path):
    """Who has the card has that key: refusing would protect nobody."""
    with closing(ResidentStore(tmp_path / "residents.db")) as store:
        store.put(Resident("anna", "Anna"), [])
    finish_renewal(tmp_path)
    for path in tmp_path.glob("keys.db*"):
        path.unlink()
    assert names(tmp_path) == {"anna": "anna"}, "her name is lost, her rights are not"
    keyring_of(tmp_path).close()
    assert finish_renewal(tmp_path)
    assert names(tmp_path) == {"anna": "anna"}


def test_no_column_runs_into_the_next_and_no_table_into_another():
    rows = {row_bytes("a", "b", None), row_bytes("a", "b", ""), row_bytes("a", "b", "None"), row_bytes("ab")}
    assert (
        len(rows | {row_bytes("a", "bc"), row_bytes("a", "b", "c"), row_bytes("a", b"b"), row_bytes("b")})
        == 8
    )
