"""One key per person: sealed templates, destroyed keys, changed site keys, stolen files."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.domain import Resident, Template
from edge.errors import KeyUnavailable, StoreError
from edge.store.consents import erase_face, erase_faces_under
from edge.store.contexts import context_of, record_context
from edge.store.key_source import change_key
from edge.store.keyring import Keyring
from edge.store.residents import ResidentStore
from edge.store.site_key import CREDENTIAL, NEW_CREDENTIAL, SITE_KEY_FILE, CredentialKey, KeyFile
from tests.present import present
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

AT = datetime(2026, 1, 5, tzinfo=UTC)
ANNA = context_of("anna", "m1")
OTTO = context_of("otto", "m1")
NAME = record_context("name", "anna")


def keyring(folder):
    return Keyring(folder / "keys.db", KeyFile(folder / SITE_KEY_FILE))


def template(resident_id, seed=0):
    vector = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return Template(resident_id, vector / np.linalg.norm(vector), "m1", AT, consent_id="c1")


def on_disk(folder):
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


def test_what_is_sealed_opens_again_after_a_restart(tmp_path):
    with closing(keyring(tmp_path)) as ring:
        sealed = ring.seal(b"secret", ANNA)
    with closing(keyring(tmp_path)) as ring:
        assert ring.open(sealed, ANNA) == b"secret"
        assert ring.people() == ("anna",)


def test_a_persons_key_opens_nobody_elses_templates(tmp_path):
    with closing(keyring(tmp_path)) as ring:
        ring.seal(b"x", OTTO)
        with pytest.raises(StoreError, match="cannot be opened"):
            ring.open(ring.seal(b"secret", ANNA), OTTO)


def test_a_destroyed_key_is_gone_from_the_raw_files_and_opens_nothing(tmp_path):
    with closing(keyring(tmp_path)) as ring:
        sealed = ring.seal(b"secret", ANNA)
        ring.seal(b"other", OTTO)
        (wrapped,) = ring._wrapped("anna")
        assert wrapped in on_disk(tmp_path)

        assert len(ring.forget("anna")) == 16
        assert ring.forget("anna") is None
        assert wrapped not in on_disk(tmp_path)
        with pytest.raises(StoreError, match="destroyed"):
            ring.open(sealed, ANNA)
        ring.seal(b"new", ANNA)
        with pytest.raises(StoreError, match="cannot be opened"):
            ring.open(sealed, ANNA)


def test_an_old_backup_of_the_residents_is_beyond_reach_after_erasure(tmp_path):
    store = ResidentStore(tmp_path / "residents.db")
    store.put(Resident("anna", "Anna"), [template("anna")])
    store.put(Resident("otto", "Otto"), [template("otto", 1)])
    backup = shutil.copy(tmp_path / "residents.db", tmp_path / "backup.db")

    erasure = erase_face(store, "anna")
    store.close()
    shutil.copy(backup, tmp_path / "residents.db")

    assert erasure.templates == 1
    assert erasure.key_fingerprint
    with closing(ResidentStore(tmp_path / "residents.db")) as restored:
        assert np.array_equal(restored.templates_of("otto")[0].embedding, template("otto", 1).embedding)
        with pytest.raises(StoreError, match="destroyed"):
            restored.templates_of("anna")


class Busy(ResidentStore):
    """A store in which somebody is enrolled again while their face is being erased."""

    comes: Callable[[], object] | None = None

    def forget_old_pages(self) -> None:
        super().forget_old_pages()
        come, self.comes = self.comes, None
        if come is not None:
            come()


@pytest.mark.parametrize(
    "erase",
    [lambda store: erase_face(store, "anna"), lambda store: erase_faces_under(store, ["signed"])],
)
def test_who_is_enrolled_again_while_the_former_face_is_erased_can_be_recognised(tmp_path, erase):
    with closing(Busy(tmp_path / "residents.db")) as store:
        store.put(Resident("anna", "Anna"), [replace(template("anna"), consent_id="signed")])
        store.comes = lambda: store.put(Resident("anna", "Anna"), [template("anna", 1)])
        erase(store)
        (face,) = store.templates_of("anna")
        assert np.array_equal(face.embedding, template("anna", 1).embedding)


def test_erasing_the_face_keeps_the_person_and_is_followed(tmp_path):
    with closing(ResidentStore(tmp_path / "residents.db")) as store:
        seen = store.put(Resident("anna", "Anna"), [template("anna")])
        erase_face(store, "anna")

        assert present(store.get("anna")).name == "Anna"
        assert store.templates_of("anna") == ()
        assert store.changes_since(seen).put == ("anna",)


def test_a_stolen_card_without_the_key_shows_no_vector(tmp_path):
    with closing(ResidentStore(tmp_path / "residents.db")) as store:
        shots = [template("anna", n) for n in range(5)]
        store.put(Resident("anna", "Anna"), shots)
        raw = on_disk(tmp_path)
    for shot in shots:
        plain = shot.embedding.tobytes()
        assert not any(plain[n : n + 8] in raw for n in range(0, len(plain), 8))


def test_the_site_key_changes_without_enrolling_anybody_again(tmp_path):
    file = tmp_path / SITE_KEY_FILE
    with closing(ResidentStore(tmp_path / "residents.db")) as store:
        store.put(Resident("anna", "Anna"), [template("anna", 1)])
        before = file.read_bytes()
        assert change_key(tmp_path) == 1
        assert len(store.templates_of("anna")) == 1, "a running door goes on"
        store.put(Resident("otto", "Otto"), [template("otto", 2)])
    assert file.read_bytes() != before
    with closing(ResidentStore(tmp_path / "residents.db")) as store:
        assert {one.id: one.name for one in store.list()} == {"anna": "Anna", "otto": "Otto"}
        assert len(store.templates("m1")) == 2


@pytest.mark.parametrize("cut", ["staged", "wrapped"])
def test_a_power_cut_while_the_site_key_changes_loses_nothing(tmp_path, cut):
    file = KeyFile(tmp_path / SITE_KEY_FILE)
    with closing(ResidentStore(tmp_path / "residents.db", keyring(tmp_path))) as store:
        store.put(Resident("anna", "Anna"), [template("anna", 1)])
        new_key = file.stage()
        if cut == "wrapped":
            assert isinstance(store.sealer, Keyring)
            store.sealer.rewrap(new_key)
    for _ in range(2):
        with closing(ResidentStore(tmp_path / "residents.db", keyring(tmp_path))) as store:
            assert len(store.templates_of("anna")) == 1
        change_key(tmp_path)
    assert not (tmp_path / "residents.key.new").exists()


def test_reading_the_key_while_it_changes_leaves_no_other_behind(tmp_path):
    file, reads, is_over = KeyFile(tmp_path / SITE_KEY_FILE), count(1), threading.Event()
    last = 0

    def read():
        nonlocal last
        while not is_over.is_set():
            file.keys()
            last = next(reads)

    def has_read(more_than):
        return last > more_than

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(300):
            file.stage()
            file.settle()
            wait_until(partial(has_read, last + 1), "whoever read meanwhile has finished")
            assert not (tmp_path / "residents.key.new").exists(), "the next change would take it for new"
    finally:
        is_over.set()
        reader.join()


def test_another_site_key_is_refused_with_the_way_out(tmp_path):
    keyring(tmp_path).close()
    (tmp_path / SITE_KEY_FILE).write_bytes(bytes(32))
    with pytest.raises(StoreError, match="restore that key"):
        keyring(tmp_path)


def test_a_systemd_credential_is_used_and_changed(tmp_path):
    (tmp_path / CREDENTIAL).write_bytes(b"a" * 32)
    with closing(Keyring(tmp_path / "keys.db", CredentialKey(tmp_path))) as ring:
        sealed = ring.seal(b"secret", ANNA)
        (tmp_path / NEW_CREDENTIAL).write_bytes(b"b" * 32)
        ring.rewrap(b"b" * 32)
    with closing(Keyring(tmp_path / "keys.db", CredentialKey(tmp_path))) as ring:
        assert ring.open(sealed, ANNA) == b"secret"
        assert "TPM" in str(ring.protection)


@pytest.mark.parametrize("content", [None, b"short"])
def test_a_credential_that_is_missing_or_short_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / CREDENTIAL).write_bytes(content)
    with pytest.raises(StoreError, match="LoadCredentialEncrypted"):
        CredentialKey(tmp_path).keys()


def churned(path):
    """Let people come and go behind the keyring's back; return what their wrapped keys were.

    `secure_delete` alone left 4 of 2,780 such keys in the gaps of pages that were filled and split.
    """
    here: dict[str, bytes]
    random, here, gone = np.random.default_rng(1), {}, []
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous = OFF")
        file.execute("PRAGMA secure_delete = ON")
        for _ in range(3000):
            if here and random.random() < 0.45:
                who = list(here)[random.integers(len(here))]
                gone.append(here.pop(who))
                file.execute("DELETE FROM person_keys WHERE resident_id = ?", (who,))
            else:
                who, wrapped = random.bytes(int(random.integers(2, 20))).hex(), random.bytes(61)
                here[who] = wrapped
                file.execute("INSERT OR REPLACE INTO person_keys VALUES (?, ?)", (who, wrapped))
    return gone


def test_no_gap_of_any_page_keeps_the_key_of_one_who_left(tmp_path):
    with closing(keyring(tmp_path)) as ring:
        ring.seal(b"secret", ANNA)
        gone = churned(tmp_path / "keys.db")
        ring.forget("anna")
        raw = on_disk(tmp_path)
        assert not [wrapped for wrapped in gone if wrapped[10:40] in raw]


def test_a_rotation_leaves_nothing_that_the_old_key_opens(tmp_path):
    with closing(keyring(tmp_path)) as ring:
        for n in range(50):
            ring.seal(b"secret", context_of(f"r-{n}", "m1"))
        old = [ring._wrapped(who)[0] for who in ring.people()]
        key = (tmp_path / SITE_KEY_FILE).read_bytes()
        change_key(tmp_path)
        raw = on_disk(tmp_path)
        assert not [wrapped for wrapped in old if wrapped[10:40] in raw]
        assert key not in raw


def test_a_file_that_was_still_to_be_written_anew_is_so_at_the_next_start(tmp_path):
    """The power went after the key was destroyed and before its traces were."""
    keyring(tmp_path).close()
    gone = churned(tmp_path / "keys.db")
    with closing(sqlite3.connect(tmp_path / "keys.db")) as file, file:
        file.execute("INSERT INTO debts VALUES (1)")
    with closing(keyring(tmp_path)) as ring:
        assert ring._connection.execute("SELECT * FROM debts").fetchall() == []
        raw = on_disk(tmp_path)
        assert not [wrapped for wrapped in gone if wrapped[10:40] in raw]


def test_many_who_leave_at_once_cost_one_rewriting(tmp_path):
    with closing(keyring(tmp_path)) as ring:
        for who in ("anna", "berta", "carl"):
            ring.seal(b"secret", context_of(who, "m1"))
        seen: list[str] = []
        ring._connection.set_trace_callback(seen.append)
        ring.forget_all(["anna", "carl", "nobody"])
        assert seen.count("VACUUM") == 1
        assert ring.people() == ("berta",)


def test_a_credential_that_cannot_be_read_keeps_no_door_from_starting(tmp_path):
    (tmp_path / CREDENTIAL).mkdir()
    key = CredentialKey(tmp_path)
    with pytest.raises(KeyUnavailable, match="cannot be read now"):
        key.keys()
    with closing(Keyring(tmp_path / "keys.db", key)) as ring:
        assert ring.people() == ()
