"""One rule for ids and names, and every door into the system asks it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.consent.rules import Statement, consent_from
from edge.domain import Resident, Template
from edge.enrol.encodings import read_encodings
from edge.errors import EnrolmentRefused, IdentityRefused, StoreError, TemplateRefused
from edge.events import Kind
from edge.identity import (
    MOST_ID,
    access_levels,
    is_identity,
    kept_spellings,
    person_name,
    resident_id,
    tidied,
)
from edge.matcher.gallery import LiveGallery
from edge.service.recognition.consent import FollowedConsents
from edge.service.recognition.roster import GalleryFollower
from edge.store.consents import ConsentLedger
from edge.store.residents import ResidentStore
from edge.wire.records import parse_record
from facegate_hub.sheets import read_people

AT = datetime(2026, 3, 1, tzinfo=UTC)
GOOD = ["3栋1203", "flat 12", "Müller", "3#1203", "3/1203", "甲单元-2", "a" * MOST_ID, ".1", "1:2"]
BAD = ["", " ", "\t", "a\x00b", "a\nb", "a\tb", "a" * (MOST_ID + 1), "x\x1b[31m", "\ud800"]
UNSEEN = ["\u200b", "\u3164", "\u2800", "\ufe0f"]


def unit(seed):
    vector = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (" 3栋1203 ", "3栋1203"),
        ("李　伟", "李 伟"),
        ("Mu\u0308ller", "Müller"),
        ("\ufeffanna", "anna"),
        ("flat\u00a012", "flat 12"),
        ("12\u200b03\u200d", "1203"),
        ("３栋１２０３", "3栋1203"),
        ("Ａｎｎａ", "Anna"),
        ("ｅ\u0301t\u200de\u0301", "été"),
        ("\u2fa6\u2f00", "金一"),
        ("3栋\ufe0f1203\u3164", "3栋1203"),
        ("葛\U000e0100", "葛"),
        ("\u2800a\u2800b", "a b"),
    ],
)
def test_what_looks_alike_is_made_one(typed, meant):
    assert tidied(typed) == meant == resident_id(typed) == person_name(typed)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("３－１２０３", "3-1203"),
        ("３栋（东）", "3栋(东)"),
        ("３／１２０３", "3/1203"),
        ("３＃１２０３", "3#1203"),
        ("3–1203", "3-1203"),
        ("3—1203", "3-1203"),
        ("3−1203", "3-1203"),
        ("3‑1203", "3-1203"),
    ],
)
def test_an_id_has_no_wide_sign(typed, meant):
    assert resident_id(typed) == meant


def test_a_name_keeps_its_brackets_and_its_dash():
    assert person_name("Li–Wei") == "Li–Wei"
    assert person_name("张三（租客）") == "张三（租客）"


@pytest.mark.parametrize("text", [*BAD, *UNSEEN])
def test_what_is_no_id_is_refused_with_the_rule(text):
    with pytest.raises(IdentityRefused, match="give 1 to 128 printable characters"):
        resident_id(text)


@pytest.mark.parametrize(
    "text", ["resident cleaner", "resident,cleaner", "resident，cleaner", "；resident、cleaner"]
)
def test_levels_are_separated_by_the_signs_of_any_keyboard(text):
    assert access_levels(text) == ("resident", "cleaner")


@pytest.mark.parametrize("who", GOOD)
def test_whom_the_store_takes_the_gallery_matches(tmp_path, who):
    vector = unit(1)
    consent = consent_from(Statement(who, agrees=True), "ines", AT)
    with (
        closing(ResidentStore(tmp_path / "residents.db")) as store,
        closing(ConsentLedger(tmp_path / "consents.db")) as ledger,
    ):
        ledger.record(consent)
        store.put(Resident(who, who), [Template(who, vector, "m", AT, consent_id=consent.id)])
        gallery = LiveGallery("m", 128)
        follower = GalleryFollower(store, gallery, FollowedConsents(lambda: ledger))
        follower.load()
        assert gallery.residents == 1
        assert follower.unmatched == {}
    assert parse_record({"id": who, "name": who})[0].id == who
    (person,) = read_people(f'id,name\n"{who}",李伟\n'.encode()).records
    assert person["id"] == who


@pytest.mark.parametrize("who", BAD)
def test_store_and_gallery_refuse_alike(tmp_path, who):
    assert not is_identity(who) or who == " "
    with closing(ResidentStore(tmp_path / "residents.db")) as store:
        if not is_identity(who):
            with pytest.raises(StoreError):
                store.put(Resident(who, "x"), [])
            with pytest.raises(TemplateRefused):
                LiveGallery("m", 128).replace(who, [unit(1)], "m")


@pytest.mark.parametrize("command", [["enrol", "remove"], ["pin", "remove"], ["consent", "withdraw"]])
def test_commands_take_the_id_as_it_is_written(tmp_path, command):
    done = CliRunner().invoke(app, [*command, "--data", str(tmp_path), "--", "a\x07b"])
    assert done.exit_code == 2
    assert "give 1 to 128 printable characters" in done.output


def test_a_card_goes_to_the_flat_as_it_is_written(tmp_path):
    run = CliRunner().invoke
    assert (
        run(
            app, ["card", "add", "--data", str(tmp_path), "--name", "王安娜", "hid:4711", "3栋 1203"]
        ).exit_code
        == 0
    )
    assert "hid:4711  3栋 1203" in run(app, ["card", "list", "--data", str(tmp_path)]).output


def test_encodings_name_people_by_the_same_rule(tmp_path):
    file = tmp_path / "people.json"
    rows = unit(1).tolist()
    file.write_bytes(b"\xef\xbb\xbf" + f'{{"3栋1203": {rows}}}'.encode())
    assert [name for name, _ in read_encodings(file)] == ["3栋1203"]
    file.write_text(f'{{"a\\u0007": {rows}}}')
    with pytest.raises(EnrolmentRefused, match="printable"):
        read_encodings(file)


class Refusing(LiveGallery):
    """A gallery that takes everybody but one."""

    def replace(self, resident_id, embeddings, model_id):
        if resident_id == "anna":
            raise TemplateRefused("template 0 of 'anna' has norm 2")
        super().replace(resident_id, embeddings, model_id)


def test_who_is_enrolled_and_not_matched_is_told_once(tmp_path):
    told = []
    with (
        closing(ResidentStore(tmp_path / "residents.db")) as store,
        closing(ConsentLedger(tmp_path / "consents.db")) as ledger,
    ):
        for n, who in enumerate(("anna", "otto")):
            consent = consent_from(Statement(who, agrees=True), "ines", AT)
            ledger.record(consent)
            store.put(Resident(who, who), [Template(who, unit(n), "m", AT, consent_id=consent.id)])
        gallery = Refusing("m", 128)
        follower = GalleryFollower(
            store,
            gallery,
            FollowedConsents(lambda: ledger),
            lambda kind, data: told.append((kind, data["state"], data.get("residents"))),
        )
        follower.refresh()
        follower.refresh()
        assert told == [(Kind.HEALTH_GALLERY, "unmatched", 1)]
        assert follower.unmatched == {"anna": "template 0 of 'anna' has norm 2"}
        store.remove("anna")
        follower.refresh()
        assert told[1:] == [(Kind.HEALTH_GALLERY, "ok", None)]


def test_a_spelling_of_before_is_somebodys_only_while_todays_is_nobodys():
    kept = kept_spellings(["3–1203", "3–1204", "3-1204", "flat 7", "\u2028"])
    assert kept == {"3-1203": "3–1203"}


@pytest.mark.parametrize("sign", [*",;，；、､﹐﹑﹔︐︑︔،؛ ", "\u3000", "\xa0", "\u200b,", "\n", " ， "])
def test_access_levels_are_parted_by_the_comma_of_any_keyboard(sign):
    assert access_levels(f"resident{sign}gym") == ("resident", "gym")
