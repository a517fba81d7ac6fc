"""Backup and restore: taken while the door works, whole or refused, and never two of one journal."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import sys
import threading
import unicodedata
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.cli.backup import backup as backup_command
from edge.cli.backup import restore as restore_command
from edge.domain import Consent
from edge.errors import StoreError
from edge.events import Kind
from edge.runtime.clock import ManualClock
from edge.service.chores.retention import FaceKeeping
from edge.store.account_rows import ACCOUNTS_FILE
from edge.store.backup import DATABASES, FILES, OLD_JOURNALS, BackupWish, back_up
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.credentials import CredentialStore, PinRow
from edge.store.journal import SqliteJournal
from edge.store.keyring import KEYS_FILE
from edge.store.ledger import LEDGER_FILE, SqliteLedger
from edge.store.outbox import SqliteOutbox
from edge.store.reader import JOURNAL_FILE, JournalReader
from edge.store.residents import ResidentStore
from edge.store.restore import RestoreWish, restore
from edge.store.sealed_file import CHUNK_BYTES, HEADER, Cost, SealedReader, SealedWriter
from edge.store.way_rows import CREDENTIALS_FILE, PIN_KEY_FILE
from edge.web.accounts import Accounts, Role
from tests.present import present
from tests.store.drafts import draft, filled
from tests.store.test_residents import ANNA, OTTO, template

NOW = datetime(2026, 3, 8, 9, 30, tzinfo=UTC)
EARLIER = datetime(2026, 3, 8, 9, 0, tzinfo=UTC)
WORDS = "correct horse battery"
CHEAP = Cost(log_n=8, p=1)
WISH = BackupWish("1.2.3", cost=CHEAP)


def furnish(data: Path, events: int = 5) -> None:
    """Make a data folder as a door has it."""
    with closing(ResidentStore(data / "residents.db")) as store:
        store.put(ANNA, [template(seed=1), template(seed=2, kind="mean")])
        store.put(OTTO, [template("otto", seed=3)])
    filled(data / "journal.db", events).close()
    (data / PIN_KEY_FILE).write_bytes(bytes(range(32)))
    with closing(CredentialStore(data / CREDENTIALS_FILE)) as credentials:
        credentials.put_card("card-1", "anna")
    (data / "clock-floor").write_text("2026-03-08T09:00:00+00:00\n")
    (data / "mode.json").write_text('{"mode": "evacuation"}')


def put_back(file: Path, data: Path, words: str = WORDS, **options):
    return restore(file, data, words, NOW, RestoreWish(**options))


@pytest.fixture
def door(tmp_path):
    furnish(tmp_path / "door")
    return tmp_path / "door"


@pytest.fixture
def file(door, tmp_path):
    back_up(door, tmp_path / "door.fgb", WORDS, NOW, WISH)
    return tmp_path / "door.fgb"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_another_device_knows_the_same_people_by_the_same_templates(file, door, tmp_path):
    """Residents, vectors bit for bit, cards and keys; files for the owner alone."""
    other = tmp_path / "other" / "facegate"
    put_back(file, other)
    with (
        closing(ResidentStore(door / "residents.db")) as old,
        closing(ResidentStore(other / "residents.db")) as new,
    ):
        assert new.list() == old.list() == (ANNA, OTTO)
        for before, after in zip(old.templates("m1"), new.templates("m1"), strict=True):
            np.testing.assert_array_equal(before.embedding, after.embedding)
            assert (before.resident_id, before.kind) == (after.resident_id, after.kind)
    with closing(CredentialStore(other / CREDENTIALS_FILE)) as credentials:
        assert credentials.cards() == {"card-1": "anna"}
    assert (other / PIN_KEY_FILE).read_bytes() == bytes(range(32))
    assert (other.stat().st_mode & 0o777, (other / PIN_KEY_FILE).stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_mode_of_last_week_does_not_come_back(file, tmp_path):
    """An evacuation in the backup must not open the restored door."""
    put_back(file, tmp_path / "other")
    assert not (tmp_path / "other" / "mode.json").exists()


def test_a_restore_to_a_new_device_warns_of_nothing(file, tmp_path, caplog):
    """There is no clock to carry over where no door was."""
    put_back(file, tmp_path / "other")
    assert caplog.messages == []


def test_a_restored_door_begins_a_journal_of_its_own_and_keeps_the_old_one(file, door, tmp_path):
    """Two devices from one backup, and the first one going on: three streams, no number twice."""
    streams = set()
    for name in ("a", "b"):
        restored = put_back(file, tmp_path / name)
        with closing(JournalReader(tmp_path / name / restored.journal.folder / "journal.db")) as old:
            assert old.verify() == 5
            end = old.last()
        assert end is not None
        assert (restored.journal.stream, restored.journal.last_seq) == (end.stream, 5)
        with closing(
            SqliteJournal(tmp_path / name / "journal.db", "door-1", boot="b", clock_trust=str)
        ) as new:
            (first,) = new.read()
            new.append(draft(1))
            assert new.verify() == 2
        assert (first.kind, first.door_id) == ("journal.restored", "door-1")
        assert (first.data["old_stream"], first.data["old_hash"]) == (end.stream, end.hash)
        streams.add(first.stream)
    with closing(JournalReader(door / "journal.db")) as reader:
        streams.add(reader.stream)
    assert len(streams) == 3


def test_old_journals_survive_a_second_backup(file, tmp_path):
    """A backup of a restored door still holds the events from before."""
    put_back(file, tmp_path / "b")
    back_up(tmp_path / "b", tmp_path / "b.fgb", WORDS, NOW, WISH)
    put_back(tmp_path / "b.fgb", tmp_path / "c")
    kept = sorted((tmp_path / "c" / OLD_JOURNALS).glob("*/journal.db"))
    found = []
    for path in kept:
        with closing(JournalReader(path)) as reader:
            found.append(reader.verify())
    assert sorted(found) == [1, 5]


def test_events_that_had_not_arrived_are_counted(door, tmp_path):
    with closing(SqliteOutbox(door / "journal.db")) as outbox:
        outbox.mark_done(2)
    back_up(door, tmp_path / "f", WORDS, NOW, WISH)
    assert put_back(tmp_path / "f", tmp_path / "other").journal.unsent == 3


def test_a_door_at_work_is_copied_as_of_one_moment(door, tmp_path):
    """Enrolling, erasing and journaling go on meanwhile; every copy opens and fits together."""
    stopping = threading.Event()

    def work() -> None:
        with (
            closing(ResidentStore(door / "residents.db")) as store,
            closing(SqliteJournal(door / "journal.db", "door-1", boot="x", clock_trust=str)) as journal,
        ):
            number = 100
            while not stopping.is_set():
                number += 1
                store.put(replace(OTTO, id=f"guest-{number}"), [template(f"guest-{number}", seed=number)])
                journal.append(draft(number))
                store.remove(f"guest-{number - 1}")

    writer = threading.Thread(target=work)
    writer.start()
    try:
        for name in "abc":
            back_up(door, tmp_path / f"{name}.fgb", WORDS, NOW, WISH)
    finally:
        stopping.set()
        writer.join()
    for name in "abc":
        restored = put_back(tmp_path / f"{name}.fgb", tmp_path / name)
        with closing(JournalReader(tmp_path / name / restored.journal.folder / "journal.db")) as old:
            assert old.verify() >= 5
        with closing(ResidentStore(tmp_path / name / "residents.db")) as store:
            assert {"anna", "otto"} <= {found.resident_id for found in store.templates("m1")}


def test_a_door_whose_key_of_a_face_is_lost_is_not_backed_up_as_if_it_were_whole(door, tmp_path):
    with closing(sqlite3.connect(door / KEYS_FILE)) as keys:
        keys.execute("DELETE FROM person_keys WHERE resident_id = 'anna'")
        keys.commit()
    with pytest.raises(StoreError, match="the keys of anna are missing; enrol them again first"):
        back_up(door, tmp_path / "lost.fgb", WORDS, NOW, WISH)
    assert not (tmp_path / "lost.fgb").exists()


def test_nothing_of_a_person_can_be_read_in_the_file(file):
    content = file.read_bytes()
    vector = template(seed=1).embedding.tobytes()
    for secret in (ANNA.name.encode(), b"anna", b"card-1", b"SQLite", bytes(range(32)), vector[:16]):
        assert secret not in content
    assert file.stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_in_the_door_s_folder(file, door):
    assert not list(door.glob(".backup-*"))


@pytest.mark.parametrize("words", ["correct horse batterz", "", WORDS + " "])
def test_another_passphrase_is_refused(file, tmp_path, words):
    with pytest.raises(StoreError, match="passphrase is wrong"):
        put_back(file, tmp_path / "other", words)
    assert not (tmp_path / "other").exists()


ACCENTED = "Schlüssel für Tür 7"


@pytest.mark.parametrize("typed", ["NFC", "NFD"])
def test_accents_count_the_same_however_they_were_typed(door, tmp_path, typed):
    back_up(door, tmp_path / "f", unicodedata.normalize(typed, ACCENTED), NOW, WISH)
    both = unicodedata.normalize("NFC", ACCENTED), unicodedata.normalize("NFD", ACCENTED)
    for number, words in enumerate(both):
        put_back(tmp_path / "f", tmp_path / str(number), words)


def test_a_short_passphrase_is_refused(door, tmp_path):
    with pytest.raises(StoreError, match="at least 10"):
        back_up(door, tmp_path / "f", "short", NOW, WISH)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["door"]


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_anywhere_or_a_cut_is_refused_and_changes_nothing(file, tmp_path, data):
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        bad = whole[:at]
    else:
        bad = whole[:at] + bytes([whole[at] ^ 1 << data.draw(st.integers(0, 7))]) + whole[at + 1 :]
    (tmp_path / "bad.fgb").write_bytes(bad)
    with pytest.raises(StoreError):
        put_back(tmp_path / "bad.fgb", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def sealed(plain: bytes) -> bytes:
    out = io.BytesIO()
    writer = SealedWriter(out, WORDS, CHEAP)
    writer.write(plain)
    writer.finish()
    return out.getvalue()


def opened(content: bytes) -> bytes:
    reader = SealedReader(io.BytesIO(content), WORDS, Path("x"))
    return b"".join(iter(lambda: reader.read(1000), b""))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_a_stream_of_any_length_comes_back(size):
    plain = os.urandom(size)
    assert opened(sealed(plain)) == plain


def test_every_byte_of_a_small_file_counts():
    """One bit wrong in any byte, one byte less, one byte more."""
    whole = sealed(b"forty-two people live here")
    for at in range(len(whole)):
        bad = bytearray(whole)
        bad[at] ^= 0x01
        with pytest.raises(StoreError):
            opened(bytes(bad))
        with pytest.raises(StoreError):
            opened(whole[:at])
    with pytest.raises(StoreError):
        opened(whole + b"\0")


def test_chunks_cannot_be_dropped_or_exchanged():
    whole = sealed(bytes(3 * CHUNK_BYTES))
    size = CHUNK_BYTES + 16
    head, chunks = whole[: HEADER.size], [whole[HEADER.size + n * size :][:size] for n in range(3)]
    for order in ((0, 1), (1, 0, 2), (0, 2), (0, 1, 2, 2)):
        with pytest.raises(StoreError):
            opened(head + b"".join(chunks[n] for n in order))


def test_a_newer_file_and_a_foreign_one_are_refused_by_name(file, tmp_path):
    newer = bytearray(file.read_bytes())
    newer[8] = 2
    for content, word in ((bytes(newer), "newer"), (b"PK\3\4 something", "not a facegate backup")):
        (tmp_path / "f").write_bytes(content)
        with pytest.raises(StoreError, match=word):
            put_back(tmp_path / "f", tmp_path / "other")


def test_a_newer_database_inside_is_refused(file, tmp_path):
    older = {name: replace(schema, migrations=schema.migrations[:-1]) for name, schema in DATABASES.items()}
    with pytest.raises(StoreError, match="newer"):
        restore(file, tmp_path / "other", WORDS, NOW, RestoreWish(databases=older))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["door", "door.fgb"]


def test_a_folder_that_holds_something_is_kept(file, door, tmp_path):
    """Refused without a word; kept aside with one, and who was removed since stays removed."""
    before = contents(door)
    with pytest.raises(StoreError, match="--replace"):
        put_back(file, door)
    assert contents(door) == before
    with closing(ResidentStore(door / "residents.db")) as store:
        store.remove("otto")
    (door / "mode.json").write_text('{"mode": "locked_down"}')
    restored = put_back(file, door, replace=True)
    assert restored.back_again == ()
    assert restored.revoked == ("residents removed since: otto",)
    with closing(ResidentStore(door / "residents.db")) as store:
        assert store.list() == (ANNA,)
    assert restored.set_aside.name == "door.replaced-20260308T093000Z"
    with closing(JournalReader(restored.set_aside / "journal.db")) as reader:
        assert reader.verify() == 5
    assert "locked_down" in (door / "mode.json").read_text()


def test_a_folder_that_cannot_get_its_name_keeps_its_models(file, tmp_path):
    """A name that is a link to another disk takes no folder's place."""
    disk = tmp_path / "disk"
    (disk / "models").mkdir(parents=True)
    (disk / "models" / "a.onnx").write_bytes(b"weights")
    (tmp_path / "device").symlink_to(disk)
    with pytest.raises(StoreError, match="nothing was restored"):
        put_back(file, tmp_path / "device")
    assert contents(disk) == {"models/a.onnx": b"weights"}
    assert {one.name for one in tmp_path.iterdir()} == {"device", "disk", "door", "door.fgb"}


@pytest.mark.parametrize("replace", [False, True])
def test_installed_models_stay_so_that_the_restored_door_knows_faces(file, door, tmp_path, replace):
    """A fresh device holds nothing but its models: no reason to ask for --replace."""
    device = door if replace else tmp_path / "another"
    (device / "models" / "liveness").mkdir(parents=True)
    (device / "models" / "liveness" / "a.onnx").write_bytes(b"weights")
    restored = put_back(file, device, replace=replace)
    assert (restored.set_aside is not None) == replace
    assert (device / "models" / "liveness" / "a.onnx").read_bytes() == b"weights"
    with closing(ResidentStore(device / "residents.db")) as store:
        assert store.get("otto") is not None


def test_what_was_withdrawn_or_used_up_since_stays_so_on_the_same_device(door, tmp_path):
    """Anna withdrew after the backup, Otto did not; a visitor used up the pass, another's was ended."""
    until = datetime(2026, 4, 1, tzinfo=UTC)
    with closing(ConsentLedger(door / CONSENTS_FILE)) as ledger:
        for who in ("anna", "otto"):
            ledger.record(Consent(who, who, NOW, "2026-1", "zh", "door", "installer"))
        back_up(door, tmp_path / "f", WORDS, NOW, WISH)
        ledger.withdraw("anna", NOW)
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as credentials:
        assert credentials.take(b"pass", 1, NOW, until, NOW) == 1
        credentials.end_passes(7, {b"lent": until})

    assert put_back(tmp_path / "f", door, replace=True).erased == ("anna",)

    with closing(ResidentStore(door / "residents.db")) as store:
        assert {found.resident_id for found in store.templates("m1")} == {"otto"}
        assert store.list() == (ANNA, OTTO)
    with closing(ConsentLedger(door / CONSENTS_FILE)) as ledger:
        assert set(ledger.in_force()) == {"otto"}
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as credentials:
        assert credentials.take(b"pass", 1, NOW, until, NOW) is None
        assert credentials.is_ended(b"lent", NOW)
        assert not credentials.is_ended(b"pass", NOW)
        assert credentials.pass_ends_rev() == 0, "what the property's list holds is taken again"


def restored_with(events, folder):
    """Restore onto a new card with what the property knows; return the new folder and what was said."""
    lines = (json.dumps(event, ensure_ascii=False) for event in events)  # as the hub exports them
    (folder / "events").write_text("\n".join(lines))
    (folder / "words").write_text(WORDS)
    new = folder / "new card"
    words = [str(folder / "f"), "--data", str(new), "--events", str(folder / "events")]
    done = CliRunner().invoke(restore_command, [*words, "--passphrase-file", str(folder / "words")])
    assert done.exit_code == 0, done.output
    return new, done.output


def test_a_new_card_learns_from_the_property_who_withdrew_since(door, tmp_path):
    """The old card is gone; who agreed anew after withdrawing keeps the face."""
    with closing(ConsentLedger(door / CONSENTS_FILE)) as ledger:
        for who in ("anna", "otto"):
            ledger.record(Consent(who, who, NOW, "2026-1", "zh", "door", "installer"))
    back_up(door, tmp_path / "f", WORDS, NOW, WISH)
    events = [
        {"type": "consent.withdrawn", "resident": "anna", "ts": "2026-03-09T10:00:00.000000Z"},
        {"type": "consent.withdrawn", "resident": "otto", "ts": "2026-03-07T10:00:00.000000Z"},
        {"type": "access.granted", "resident": "otto", "ts": "2026-03-10T10:00:00.000000Z"},
        {"type": "service.started", "resident": None, "ts": "2026-03-10T10:00:00.000000Z"},
        {"type": "health.camera", "resident": None, "data": {"error": "no\u2028picture\x85"}, "ts": ""},
    ]
    new, told = restored_with(events, tmp_path)
    assert "erased here too: anna" in told

    with closing(ResidentStore(new / "residents.db")) as store:
        assert {found.resident_id for found in store.templates("m1")} == {"otto"}
        assert store.sealer.people() == ("otto",)
    with closing(ConsentLedger(new / CONSENTS_FILE)) as ledger:
        assert set(ledger.in_force()) == {"otto"}


def test_on_another_device_no_pass_from_before_opens_again(door, tmp_path):
    until = datetime(2026, 4, 1, tzinfo=UTC)
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as credentials:
        assert credentials.take(b"before", 2, EARLIER, until, NOW) == 1
    back_up(door, tmp_path / "f", WORDS, EARLIER, WISH)
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as credentials:
        assert credentials.take(b"used", 1, EARLIER, until, NOW) == 1
        assert credentials.take(b"before", 2, EARLIER, until, NOW) == 2
        credentials.end_passes(7, {b"lent": until})
    put_back(tmp_path / "f", tmp_path / "new")
    with closing(CredentialStore(tmp_path / "new" / CREDENTIALS_FILE)) as credentials:
        for one in (b"used", b"before", b"lent"):
            assert credentials.take(one, 9, EARLIER, until, NOW) is None
            assert credentials.is_ended(one, EARLIER)
        assert credentials.take(b"later", 1, NOW, until, NOW) == 1
        assert not credentials.are_passes_edited, "and nobody is accused of it"


def test_a_clock_that_is_behind_on_the_other_device_lets_no_pass_in_from_before_the_backup(file, tmp_path):
    restore(file, tmp_path / "new", WORDS, datetime(1970, 1, 1, tzinfo=UTC), RestoreWish())
    with closing(CredentialStore(tmp_path / "new" / CREDENTIALS_FILE)) as credentials:
        assert credentials.take(b"used", 1, EARLIER, datetime(2026, 4, 1, tzinfo=UTC), NOW) is None


def test_what_the_events_elsewhere_tell_of_does_not_come_back(door, tmp_path):
    """Anna moved out and Otto's card was lost since; what was taken back before the backup is history."""
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as credentials:
        credentials.put_pin(PinRow("12", "otto", is_duress=False, digest=b"d" * 32))
        credentials.put_pin(PinRow("11", "anna", is_duress=False, digest=b"e" * 32))
        credentials.put_card("card-2", "otto")
    back_up(door, tmp_path / "f", WORDS, NOW, WISH)
    before, since = "2026-03-07T10:00:00.000000Z", "2026-03-09T10:00:00.000000Z"
    events = [
        {"type": "resident.removed", "resident": "anna", "ts": since, "data": {"by": "desk"}},
        {"type": "resident.removed", "resident": "otto", "ts": before, "data": {"by": "desk"}},
        {"type": "credential.removed", "resident": "otto", "ts": since, "data": {"method": "card"}},
        {"type": "credential.removed", "resident": "otto", "ts": before, "data": {"method": "pin"}},
        {"type": "credential.removed", "resident": "otto", "ts": since, "data": {"method": "pass"}},
    ]
    new, told = restored_with(events, tmp_path)
    assert "not restored, residents removed since: anna" in told
    assert "issue them anew" in told
    with closing(ResidentStore(new / "residents.db")) as store:
        assert store.list() == (OTTO,)
    with closing(CredentialStore(new / CREDENTIALS_FILE)) as credentials:
        assert credentials.cards() == {}
        assert [row.resident_id for row in credentials.pins()] == ["otto"]


def test_what_a_killed_backup_or_restore_left_behind_goes(file, door, tmp_path):
    """Copies of keys and templates that no withdrawal would reach."""
    (door / ".backup-0123abcd").mkdir()
    (door / ".backup-0123abcd" / "keys.db").write_bytes(b"copies")
    FaceKeeping(door, ManualClock(NOW), lambda _: None, lambda: 0.0).begin()
    assert not list(door.glob(".backup-*"))
    (tmp_path / ".other.restoring-0123abcd").mkdir()
    put_back(file, tmp_path / "other")
    assert not list(tmp_path.glob(".other.*"))


def killed_at_rename(file: Path, data: Path, number: int) -> bool:
    """Restore in a process that ends before it renames for the n-th time; return whether it came to that."""
    child = os.fork()
    if child == 0:
        left = [number]

        def end(event: str, _args: object) -> None:
            if event == "os.rename":
                left[0] -= 1
                if not left[0]:
                    os._exit(9)

        try:
            sys.addaudithook(end)
            put_back(file, data, replace=True)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("has_started", [False, True])
def test_a_restore_that_is_killed_anywhere_brings_back_nobody_when_it_is_done_again(
    file, door, tmp_path, has_started
):
    """Also where the door began an empty folder in between."""
    for number in count(1):
        data = tmp_path / "again" / str(number) / "door"
        shutil.copytree(door, data)
        with closing(ResidentStore(data / "residents.db")) as store:
            store.remove("otto")
        was_killed = killed_at_rename(file, data, number)
        if has_started and not data.exists():
            data.mkdir()
            ResidentStore(data / "residents.db").close()
        put_back(file, data, replace=True)
        with closing(ResidentStore(data / "residents.db")) as store:
            assert store.list() == (ANNA,), number
        journals = [JournalReader(one) for one in data.parent.glob("door.replaced-*/journal.db")]
        assert 5 in [reader.verify() for reader in journals], "and the old journal is kept"
        for reader in journals:
            reader.close()
        assert not list(data.parent.glob(".door.*"))
        if not was_killed:
            break


def test_a_restore_that_is_killed_costs_a_fresh_device_no_models(file, tmp_path):
    for number in count(1):
        data = tmp_path / "fresh" / str(number) / "door"
        (data / "models").mkdir(parents=True)
        (data / "models" / "a.onnx").write_bytes(b"weights")
        was_killed = killed_at_rename(file, data, number)
        put_back(file, data, replace=True)
        assert (data / "models" / "a.onnx").read_bytes() == b"weights", number
        assert not list(data.parent.glob(".door.*"))
        if not was_killed:
            break


def test_a_door_that_runs_is_not_replaced(file, door):
    with closing(ResidentStore(door / "residents.db")), pytest.raises(StoreError, match="in use"):
        put_back(file, door, replace=True)
    with closing(ResidentStore(door / "residents.db")) as store:
        assert store.list() == (ANNA, OTTO)


def test_who_was_removed_comes_back_when_somebody_says_so(file, door):
    with closing(ResidentStore(door / "residents.db")) as store:
        store.remove("otto")
    restored = put_back(file, door, replace=True, revive=True)
    assert restored.back_again == ("otto",)
    with closing(SqliteJournal(door / "journal.db", "door-1", boot="b", clock_trust=str)) as journal:
        (first,) = journal.read()
    assert first.data["revived"] is True


def test_cards_pins_accounts_and_commands_that_were_taken_back_stay_so(door, tmp_path):
    """And what was changed since has its value of today, not that of the backup."""
    accounts, ledger = door / ACCOUNTS_FILE, door / LEDGER_FILE
    with closing(Accounts(accounts)) as panel:
        panel.put("boss", Role.INSTALLER, "correct horse 9")
        panel.put("gone", Role.STAFF, "still my password")
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as credentials:
        credentials.put_card("card-2", "otto")
        credentials.put_pin(PinRow("1", "anna", False, b"a" * 32))
        credentials.put_pin(PinRow("2", "otto", False, b"o" * 32))
    with closing(SqliteLedger(ledger)) as commands:
        commands.claim("cmd-1", NOW)
    back_up(door, tmp_path / "f", WORDS, NOW, BackupWish("1", cost=CHEAP))
    with closing(Accounts(accounts)) as panel:
        panel.remove("gone", "boss")
        panel.put("boss", Role.INSTALLER, "another horse 8")
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as credentials:
        credentials.remove_card("card-2")
        credentials.remove_pins("otto")
        credentials.put_pin(PinRow("1", "anna", False, b"b" * 32))
    with closing(SqliteLedger(ledger)) as commands:
        commands.claim("cmd-2", NOW)

    told = restore(tmp_path / "f", door, WORDS, NOW, RestoreWish(replace=True))

    with closing(CredentialStore(door / CREDENTIALS_FILE)) as credentials:
        assert credentials.cards() == {"card-1": "anna"}
        assert credentials.pins() == [PinRow("1", "anna", False, b"b" * 32)]
    with closing(Accounts(accounts)) as panel:
        assert panel.all() == {"boss": Role.INSTALLER}
        assert panel.check("boss", "another horse 8") is Role.INSTALLER
        assert panel.check("boss", "correct horse 9") is None
    with closing(SqliteLedger(ledger)) as commands:
        assert not commands.claim("cmd-1", NOW)
        assert not commands.claim("cmd-2", NOW)
    assert told.revoked == (
        "cards taken back since, of: otto",
        "PINs taken back since, of: otto",
        "accounts taken back since: gone",
    )


DAMAGE = ("residents.db", CONSENTS_FILE, CREDENTIALS_FILE, PIN_KEY_FILE, LEDGER_FILE, ACCOUNTS_FILE)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lost=st.sets(st.sampled_from(DAMAGE), min_size=1), is_gone=st.booleans())
def test_whatever_is_damaged_nothing_is_revived_without_a_word(tmp_path_factory, lost, is_gone):
    """Anna withdrew and Otto's card was taken back; each set of damaged files refuses, naming them."""
    tmp_path = tmp_path_factory.mktemp("damaged")
    door = tmp_path / "door"
    furnish(door)
    with closing(ConsentLedger(door / CONSENTS_FILE)) as ledger:
        ledger.record(Consent("c", "anna", NOW, "2026-1", "zh", "door", "installer"))
    Accounts(door / ACCOUNTS_FILE).close()
    SqliteLedger(door / LEDGER_FILE).close()
    back_up(door, tmp_path / "f", WORDS, NOW, BackupWish("1", cost=CHEAP))
    with closing(ConsentLedger(door / CONSENTS_FILE)) as ledger:
        ledger.withdraw("anna", NOW)
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as credentials:
        credentials.remove_card("card-1")
    for name in lost:
        (door / name).unlink() if is_gone else (door / name).write_bytes(b"worn out" * 1000)
    wish = RestoreWish(replace=True)

    with pytest.raises(StoreError, match="--revive") as refused:
        restore(tmp_path / "f", door, WORDS, NOW, wish)

    assert all(name in str(refused.value) for name in lost - {CREDENTIALS_FILE})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["door", "f"]
    restore(tmp_path / "f", door, WORDS, NOW, replace(wish, revive=True))


def test_a_damaged_folder_can_be_replaced(file, door):
    (door / "residents.db").write_bytes(b"worn out" * 1000)
    put_back(file, door, replace=True, revive=True)
    with closing(ResidentStore(door / "residents.db")) as store:
        assert store.list() == (ANNA, OTTO)


def test_a_damaged_database_or_a_lost_key_is_no_backup(door, tmp_path):
    """What could not be restored is refused when there is still time to do something about it."""
    (door / "residents.key").unlink()
    with pytest.raises(StoreError, match="site key"):
        back_up(door, tmp_path / "f", WORDS, NOW, WISH)
    (door / "residents.db").write_bytes(b"worn out" * 1000)
    with pytest.raises(StoreError, match="damaged"):
        back_up(door, tmp_path / "f", WORDS, NOW, WISH)
    with pytest.raises(StoreError, match="--data"):
        back_up(tmp_path / "nowhere", tmp_path / "f", WORDS, NOW, WISH)
    assert not (tmp_path / "f").exists()


def test_a_backup_that_cannot_be_finished_leaves_the_older_one(door, file, tmp_path):
    before = file.read_bytes()
    shutil.rmtree(door)
    with pytest.raises(StoreError):
        back_up(door, file, WORDS, NOW, WISH)
    assert file.read_bytes() == before


def test_every_file_a_door_makes_is_in_the_list():
    assert {"residents.key", PIN_KEY_FILE, "receipt.key", "clock-floor"} <= set(FILES)


def test_the_command_is_told_in_the_journal_and_a_journal_that_fails_hinders_no_backup(door, tmp_path):
    """The checkup asks for a backup while the journal tells of none."""
    (tmp_path / "words").write_text(WORDS + "\n")
    words = [str(tmp_path / "f"), "--data", str(door), "--passphrase-file", str(tmp_path / "words")]
    done = CliRunner().invoke(backup_command, words)
    assert done.exit_code == 0, done.output
    with closing(JournalReader(door / JOURNAL_FILE)) as reader:
        told = present(reader.last())
        assert (told.kind, told.data["by"]) == (Kind.PANEL_BACKUP, "command line")
        assert reader.verify() == told.seq
    with closing(sqlite3.connect(door / JOURNAL_FILE)) as journal, journal:
        journal.execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, 'full'); END")
    done = CliRunner().invoke(backup_command, words)
    assert done.exit_code == 0, done.output
    assert "does not tell of this backup" in done.output


CONFIG = """
[door]
id = "door-1"
[camera]
source = "rtsp://admin:hunter2@10.0.0.5/live"
[lock]
driver = "dry-run"
[access]
rules = "{rules}"
[mqtt]
host = "localhost"
tls = false
username = "door-1"
password = "broker-secret"
"""


@pytest.mark.parametrize("with_secrets", [False, True])
def test_the_commands_take_the_settings_along_with_secrets_only_when_told(door, tmp_path, with_secrets):
    (tmp_path / "rules.toml").write_text("[levels.resident]\n")
    (tmp_path / "c.toml").write_text(CONFIG.format(rules=tmp_path / "rules.toml"))
    (tmp_path / "words").write_text(WORDS + "\n")
    words = ["--passphrase-file", str(tmp_path / "words")]
    file, other = str(tmp_path / "f"), tmp_path / "other"
    more = ["--with-secrets"] if with_secrets else []
    run = CliRunner().invoke
    done = run(
        backup_command, [file, "--data", str(door), "--config", str(tmp_path / "c.toml"), *words, *more]
    )
    assert done.exit_code == 0, done.output
    done = run(restore_command, [file, "--data", str(other), *words])
    assert done.exit_code == 0, done.output
    assert "facegate events --data" in done.output
    taken = (other / "restored-config" / "config.toml").read_text()
    assert ("broker-secret" in taken, "hunter2" in taken) == (with_secrets, with_secrets)
    assert (other / "restored-config" / "rules.toml").read_text() == "[levels.resident]\n"
