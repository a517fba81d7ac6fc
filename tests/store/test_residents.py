"""The resident store: transactions, sealing, erasing, following by version."""

import itertools
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.domain import Resident, Template
from edge.errors import StoreError, TemplateRefused
from edge.store.residents import Changes, ResidentStore
from edge.store.sealer import AesGcmSealer, file_key

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ANNA = Resident("anna", "Anna 安娜", ("resident", "gym"), valid_until=AT, extended_unlock=True)
OTTO = Resident("otto", "Otto")


class PlainSealer:
    """Seals nothing: shows what would be on the disk."""

    def seal(self, plain, context):
        return plain

    def open(self, sealed, context):
        return sealed

    def bind(self, row):
        return b""

    def is_ours(self, row, mark):
        return True

    def forget(self, person):
        return None

    def forget_all(self, people):
        pass

    def people(self):
        return ()

    def close(self):
        pass


def template(resident_id="anna", seed=0, model_id="m1", **fields):
    vector = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return Template(resident_id, vector / np.linalg.norm(vector), model_id, AT, **fields)


def on_disk(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if "residents.db" in path.name)


@pytest.fixture
def store(tmp_path):
    store = ResidentStore(tmp_path / "residents.db")
    yield store
    store.close()


def test_residents_and_templates_come_back_exactly(store):
    """Every field, and the vector bit for bit."""
    shots = [template(seed=1, consent_id="c-1"), template(seed=2, kind="mean")]
    store.put(ANNA, shots)
    assert store.list() == (ANNA,)
    assert store.get("anna") == ANNA
    assert store.get("nobody") is None
    found = store.templates("m1")
    assert [(t.resident_id, t.model_id, t.kind, t.consent_id, t.enrolled_at) for t in found] == [
        ("anna", "m1", "shot", "c-1", AT),
        ("anna", "m1", "mean", None, AT),
    ]
    assert all(np.array_equal(a.embedding, b.embedding) for a, b in zip(found, shots, strict=True))


def test_putting_again_replaces_everything(store):
    """No template of the earlier enrolment stays behind."""
    store.put(ANNA, [template(seed=1), template(seed=2)])
    store.put(replace(ANNA, name="Anna B"), [template(seed=3)])
    assert store.get("anna").name == "Anna B"
    assert len(store.templates("m1")) == 1


def test_templates_of_another_model_are_listed_for_enrolling_again(store):
    """They are never handed out under the wrong name."""
    store.put(ANNA, [template(model_id="old")])
    store.put(OTTO, [template("otto", model_id="old"), template("otto", model_id="m1")])
    assert [t.resident_id for t in store.templates("m1")] == ["otto"]
    assert store.other_models("m1") == {"anna": ("old",)}


def test_who_has_one_picture_only_is_told_by_model(store):
    store.put(ANNA, [template()])
    store.put(OTTO, [template("otto", seed=1), template("otto", seed=2)])
    assert store.single_shots("m1") == {"anna"}
    assert store.single_shots("old") == frozenset()
    assert store.enrolled_with("m1") == {"anna", "otto"}
    assert store.enrolled_with("old") == frozenset()


BAD_VECTORS = {
    "nan": np.r_[np.nan, np.ones(127)].astype(np.float32),
    "infinite": np.r_[np.inf, np.ones(127)].astype(np.float32),
    "scaled": template().embedding * np.float32(1000),
    "zero": np.zeros(128, np.float32),
    "two rows": np.stack([template().embedding] * 2),
    "empty": np.zeros(0, np.float32),
    "integers": np.r_[1, np.zeros(127, int)],
}


@pytest.mark.parametrize("vector", BAD_VECTORS.values(), ids=BAD_VECTORS.keys())
def test_a_harmful_vector_is_refused_and_nothing_changes(store, vector):
    """One bad template refuses the whole put."""
    store.put(ANNA, [template(seed=1)])
    with pytest.raises(TemplateRefused):
        store.put(replace(ANNA, name="New"), [template(seed=2), replace(template(), embedding=vector)])
    assert store.get("anna") == ANNA
    assert store.version() == 1


def test_a_template_of_somebody_else_is_refused(store):
    """A mixed-up call cannot enrol one person's face under another's name."""
    with pytest.raises(TemplateRefused, match="'otto' was given for 'anna'"):
        store.put(ANNA, [template("otto")])


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "a\x00"])
def test_unprintable_names_are_refused(store, name):
    """Names reach logs and screens."""
    with pytest.raises(StoreError, match="printable"):
        store.put(replace(ANNA, name=name), [])
    with pytest.raises(StoreError, match="printable"):
        store.put(replace(ANNA, id=name), [])


def test_templates_never_touch_the_disk_unsealed(tmp_path, store):
    """Neither the vector's bytes nor its first numbers are in the files."""
    shot = template(seed=5)
    store.put(ANNA, [shot])
    assert shot.embedding.tobytes()[:16] not in on_disk(tmp_path)


def test_a_removed_template_is_gone_from_the_raw_files(tmp_path):
    """Without sealing, to see the bytes: present before, in database and log, absent after."""
    store = ResidentStore(tmp_path / "residents.db", PlainSealer())
    shots = [template(seed=n) for n in range(20)]
    store.put(ANNA, shots)
    store.put(OTTO, [template("otto", seed=99)])
    assert all(shot.embedding.tobytes()[64:128] in on_disk(tmp_path) for shot in shots)
    assert store.remove("anna") is True
    assert not any(shot.embedding.tobytes()[64:128] in on_disk(tmp_path) for shot in shots)
    assert "安娜".encode() not in on_disk(tmp_path)
    assert store.list() == (OTTO,)
    store.close()


def test_erasing_interrupted_by_a_kill_is_finished_at_the_next_start(tmp_path):
    """The log that a dead process left behind is emptied on opening."""
    store = ResidentStore(tmp_path / "residents.db", PlainSealer())
    shot = template(seed=3)
    store.put(ANNA, [shot])
    with store.writing() as (connection, _version):  # the commit happened, the clean-up did not
        connection.execute("DELETE FROM residents")
    copy = tmp_path / "after the kill"
    copy.mkdir()
    for name in ("residents.db", "residents.db-wal"):
        (copy / name).write_bytes((tmp_path / name).read_bytes())
    store.close()
    ResidentStore(copy / "residents.db", PlainSealer()).close()
    assert shot.embedding.tobytes()[64:128] not in on_disk(copy)


def test_removing_nobody_says_so(store):
    """And is not a change anybody has to follow."""
    store.put(ANNA, [])
    assert store.remove("nobody") is False
    assert store.changes_since(1).removed == ()


def test_changes_are_followed_by_version(store):
    """Put, put again, remove, put back: each follower sees the outcome since it last looked."""
    store.put(ANNA, [template()])
    seen = store.put(OTTO, [])
    assert store.changes_since(0) == Changes(seen, ("anna", "otto"), ())
    store.remove("anna")
    store.put(OTTO, [])
    assert store.changes_since(seen) == Changes(seen + 2, ("otto",), ("anna",))
    store.put(ANNA, [template()])
    assert store.changes_since(seen) == Changes(seen + 3, ("anna", "otto"), ())
    assert store.changes_since(seen + 3) == Changes(seen + 3, (), ())


def test_a_change_by_another_process_is_seen(tmp_path, store):
    """The command line enrols while the service runs."""
    other = ResidentStore(tmp_path / "residents.db")
    before = store.version()
    other.put(ANNA, [template()])
    other.close()
    assert store.version() > before
    assert len(store.templates("m1")) == 1


@pytest.mark.parametrize(
    "now", [None, replace(OTTO, access_levels=("staff",)), replace(OTTO, name="Ottilie")]
)
def test_a_change_of_somebody_who_is_another_meanwhile_changes_nothing(store, now):
    """A right that was taken back would come back, and who was removed."""
    store.put(OTTO, [])
    if now is None:
        store.remove("otto")
    else:
        store.put_people([now])
    changed = replace(OTTO, access_levels=("resident", "gym"))
    for change in (
        lambda: store.put_people([ANNA, changed], {"otto": OTTO}),
        lambda: store.put(changed, [], before={"otto": OTTO}),
    ):
        with pytest.raises(StoreError, match="meanwhile"):
            change()
    assert (store.get("otto"), store.get("anna")) == (now, None)
    store.put_people([changed], {"otto": now})
    assert store.get("otto") == changed
    with pytest.raises(StoreError):
        store.put_people([OTTO], {"otto": None})


def test_one_persons_data_can_be_exported(store):
    """Everything there is, ready for JSON."""
    store.put(ANNA, [template(consent_id="c-1")], source="roster")
    exported = json.loads(json.dumps(store.export("anna")))
    assert (exported["name"], exported["source"]) == ("Anna 安娜", "roster")
    assert exported["templates"][0]["consent_id"] == "c-1"
    assert len(exported["templates"][0]["embedding"]) == 128
    assert store.export("nobody") is None


def test_what_another_key_wrote_matches_nobody_and_the_log_says_what_to_do(tmp_path, store, caplog):
    """A lost key means enrolling again."""
    store.put(ANNA, [template()])
    other = ResidentStore(tmp_path / "residents.db", AesGcmSealer(bytes(32)))
    assert other.templates("m1") == ()
    assert "'anna'" in caplog.text
    assert "enrol again" in caplog.text
    other.close()


def test_a_template_moved_to_another_resident_does_not_open(tmp_path, store):
    """Somebody who can edit the file cannot put his face on another's record."""
    store.put(ANNA, [template()])
    store.put(OTTO, [])
    connection = sqlite3.connect(tmp_path / "residents.db")
    connection.execute("UPDATE templates SET resident_id = 'otto'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="'otto': the key of this person was destroyed"):
        store.templates("m1")


def test_every_flipped_bit_is_noticed():
    """Sealed bytes are authenticated throughout."""
    sealer = AesGcmSealer(bytes(range(32)))
    sealed = sealer.seal(b"plain", b"context")
    assert sealer.open(sealed, b"context") == b"plain"
    for place, bit in itertools.product(range(len(sealed)), (1, 128)):
        damaged = bytearray(sealed)
        damaged[place] ^= bit
        with pytest.raises(StoreError):
            sealer.open(bytes(damaged), b"context")
    with pytest.raises(StoreError):
        sealer.open(b"", b"context")


def test_the_key_file_is_private_and_stays(tmp_path):
    """Made once with mode 0600; a damaged one is refused rather than replaced."""
    key = file_key(tmp_path / "k")
    assert file_key(tmp_path / "k") == key
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["k"]
    (tmp_path / "k").write_bytes(b"short")
    with pytest.raises(StoreError, match="not a template key"):
        file_key(tmp_path / "k")
