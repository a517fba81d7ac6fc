"""A damaged resident store: kept aside, begun anew, keys kept until the property has spoken."""

import random
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from edge.domain import Resident
from edge.errors import StoreError, StoreUnavailable
from edge.store.mended import news
from edge.store.mending import open_residents
from edge.store.resident_rows import RESIDENTS
from edge.store.residents import ResidentStore
from edge.store.roster import SqliteRoster
from edge.store.salvage import mend
from tests.store.test_residents import template
from tests.sync.property import Property

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
PEOPLE = [f"resident-{number:03}" for number in range(60)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store of 60 people with faces, closed."""
    folder = tmp_path_factory.mktemp("made")
    with closing(ResidentStore(folder / "residents.db")) as store:
        for number, identity in enumerate(PEOPLE):
            store.put(Resident(identity, identity), [template(identity, seed=number)])
    return folder


@pytest.fixture
def path(made, tmp_path):
    return shutil.copytree(made, tmp_path / "data") / "residents.db"


def ids(store):
    return [resident.id for resident in store.list()]


def test_a_whole_store_is_left_alone(path):
    store, damage = open_residents(path, AT)
    with closing(store):
        assert (ids(store), damage) == (PEOPLE, None)


def test_what_an_earlier_look_salvaged_and_the_card_does_not_let_go_is_said_so(path):
    """Whoever tries again later waits for a `StoreError`, and for nothing else."""
    stays = path.with_name(f"{path.name}.salvaged")
    stays.mkdir()
    with pytest.raises(StoreUnavailable, match="salvaged stays"):
        mend(path, RESIDENTS, {})
    stays.rmdir()
    assert mend(path, RESIDENTS, {}) is None


def opens(store, who):
    """Return whether there is a face of somebody that opens, as a door looks at each one."""
    try:
        return bool(store.templates_of(who))
    except StoreError:
        return False


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bytes_cost_the_store_never_the_start(path, seed):
    """Whatever page is hit: the file is kept, who can be read goes on, and the others are named."""
    rng = random.Random(seed)
    bytes_ = bytearray(path.read_bytes())
    begin = rng.randrange(0, len(bytes_) - 4096)
    bytes_[begin : begin + 4096] = rng.randbytes(4096)
    path.write_bytes(bytes_)
    store, damage = open_residents(path, AT)
    with closing(store):
        assert damage is not None
        with_faces = {who for who in ids(store) if opens(store, who)}
        assert with_faces | set(damage.people) == set(PEOPLE)
        assert damage.kept.stat().st_size == len(bytes_)
        assert damage.kept.name == "residents.db.damaged-20260301T080000Z"


def test_a_file_that_is_not_ours_is_left_to_a_person(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA application_id = 7")
    with pytest.raises(StoreError, match="not a facegate"):
        open_residents(path, AT)


def test_damaged_keys_cost_the_faces_and_nobodys_rights(path):
    """Whoever has a PIN or a card comes in; the faces can be enrolled again."""
    (path.parent / "keys.db").write_bytes(b"worn out" * 4096)
    store, damage = open_residents(path, AT)
    with closing(store):
        assert (ids(store), store.sealer.people(), damage) == (PEOPLE, (), None)
        store.put(Resident("anna", "Anna"), [template("anna")])
        assert len(store.templates_of("anna")) == 1
    told = {one.file.name: one for one in news() if one.file.parent == path.parent}
    assert set(told) == {"keys.db"}


def test_the_property_brings_the_people_back_and_then_the_keys_of_the_others_go(path):
    path.write_bytes(b"\xff" * 8192)
    store, damage = open_residents(path, AT)
    site = Property()
    for identity in PEOPLE[:5]:
        site.put(identity, identity)
    with closing(store):
        assert store.sealer.people() == tuple(PEOPLE)
        SqliteRoster(store).replace(list(site.records.values()), site.state())
        assert ids(store) == PEOPLE[:5]
        assert store.templates("m1") == ()
        assert store.sealer.people() == tuple(PEOPLE[:5])
        assert damage is not None
        assert set(damage.people) >= set(PEOPLE[:5])


def test_a_key_that_a_power_cut_left_behind_goes_at_the_next_start(path):
    """Killed after the row went and before the key did."""
    with closing(ResidentStore(path)) as store, store.writing() as (connection, version):
        connection.execute("DELETE FROM residents WHERE id = ?", (PEOPLE[0],))
        connection.execute("INSERT INTO removals VALUES (?, ?)", (PEOPLE[0], version))
    with closing(ResidentStore(path)) as store:
        assert store.sealer.people() == tuple(PEOPLE[1:])


def test_who_came_back_after_a_removal_keeps_the_key(path):
    with closing(ResidentStore(path)) as store:
        store.remove(PEOPLE[0])
        assert PEOPLE[0] not in store.sealer.people()
        store.put(Resident(PEOPLE[0], "Back"), [template(PEOPLE[0])])
    with closing(ResidentStore(path)) as store:
        assert PEOPLE[0] in store.sealer.people()
        assert len(store.templates_of(PEOPLE[0])) == 1
