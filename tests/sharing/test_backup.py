"""Backup, restore, removal and fresh keys at a door that shares faces: nothing comes back that ended."""

from __future__ import annotations

from contextlib import closing

import pytest

from edge.store.backup import BackupWish, back_up
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.face_book import FACE_BOOK_FILE
from edge.store.keyring import KEYS_FILE, Keyring
from edge.store.resealing import reseal
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.restore import RestoreWish, restore
from edge.store.sealed_file import Cost
from tests.sharing.rig import AT, SharingRig, opened

QUICK = Cost(2**4)


@pytest.fixture
def site(tmp_path):
    with opened(tmp_path, "front", "back") as compound:
        compound.put("anna", "otto", "mei")
        yield compound


def saved(site, tmp_path):
    file = tmp_path / "back.fgb"
    back_up(site.doors["back"].folder, file, "a passphrase", AT, BackupWish("test", cost=QUICK))
    return file


def put_back(file, folder, **more):
    return restore(file, folder, "a passphrase", AT, RestoreWish(**more))


def test_a_backup_holds_the_faces_enrolled_here_and_none_from_elsewhere(site, tmp_path):
    site.doors["front"].enrol("anna", "back")
    site.doors["back"].enrol("otto", "front")
    site.settle()
    assert site.doors["back"].knows("anna")
    put_back(saved(site, tmp_path), tmp_path / "new")
    with closing(ResidentStore(tmp_path / "new" / RESIDENTS_FILE)) as store:
        assert len(store.templates_of("otto")) == 4
        assert store.templates_of("anna") == ()
        assert isinstance(store.sealer, Keyring)
        assert store.sealer.people() == ("otto",)
    assert not (tmp_path / "new" / FACE_BOOK_FILE).exists()
    assert b"receiving" not in (tmp_path / "new" / KEYS_FILE).read_bytes()


def test_a_restored_door_asks_for_its_faces_again_and_takes_none_that_ended(site, tmp_path):
    site.doors["front"].enrol("anna", "back")
    ended = site.doors["front"].enrol("otto", "back")
    site.settle()
    file = saved(site, tmp_path)
    site.doors["front"].withdraw("otto")
    site.settle()
    back = site.doors["back"]
    back.close()
    put_back(file, back.folder, replace=True)
    with closing(ConsentLedger(back.folder / CONSENTS_FILE)) as ledger:
        assert ended.id in ledger.ended()
    site.doors["back"] = again = SharingRig(back.folder, "back", site.authority, site.clock)
    assert not again.knows("anna")
    site.list_doors()
    site.spread()
    site.settle()
    assert again.knows("anna")
    assert not again.knows("otto")


def test_fresh_keys_open_everything_that_is_shared(site):
    site.doors["front"].enrol("anna", "back")
    site.settle()
    for door in site.doors.values():
        reseal(door.folder, door.store.sealer)
        door.begin()
    back = site.doors["back"]
    assert back.knows("anna")
    assert back.book.signing_key() is not None
    assert back.book.body_of(next(iter(back.book.held().values())))
    site.doors["front"].enrol("mei", "back")
    site.settle()
    assert back.knows("mei")


def test_a_removed_resident_leaves_nothing_that_opens_old_copies(site):
    site.doors["front"].enrol("anna", "back")
    site.settle()
    site.remove("anna")
    site.settle()
    back = site.doors["back"]
    assert back.book.held() == {}
    assert back.store.sealer.people() == ()
