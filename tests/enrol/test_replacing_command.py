"""`facegate enrol add` on somebody who is enrolled: the real networks, photographs in the public domain."""

from __future__ import annotations

from contextlib import closing

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked
from edge.store.consents import ConsentLedger
from edge.store.residents import ResidentStore
from tests.places import need_models

pytestmark = pytest.mark.models
PHOTOS = ("obama", "obama2", "biden")


def run(data, *words):
    done = CliRunner().invoke(app, [*words, "--data", str(data)])
    return done.exit_code, done.output + str(done.exception or "")


def test_another_persons_photos_are_stopped_and_the_same_persons_replace(tmp_path):
    need_models("yunet", "sface", *PHOTOS)
    assets = load_manifest().assets
    obama, obama2, biden = (str(checked(assets[name])) for name in PHOTOS)
    add = ("enrol", "add", "flat-1203")
    assert run(tmp_path, *add, obama, "--consent", "paper-1")[0] == 0

    for words in (("--allow-look-alike",), ("--replace",)):
        code, told = run(tmp_path, *add, biden, "--consent", "paper-2", *words)
        assert code != 0
        assert "This is not the person enrolled as flat-1203" in told
        assert "facegate consent withdraw flat-1203" in told
    assert len(consents(tmp_path)) == 1

    code, told = run(tmp_path, *add, obama2, "--consent", "paper-2")
    assert code == 0, told
    assert "in place of the face of" in told
    assert [one.withdrawn_at is None for one in consents(tmp_path)] == [False, True]
    code, told = run(tmp_path, *add, obama, obama2)  # no new paper: the consent on record goes on
    assert code == 0, told
    with closing(ResidentStore(tmp_path / "residents.db")) as store:
        under = {one.consent_id for one in store.templates_of("flat-1203")}
    assert under == {one.id for one in consents(tmp_path) if one.withdrawn_at is None}


def consents(data):
    with closing(ConsentLedger(data / "consents.db")) as ledger:
        return ledger.of("flat-1203")
