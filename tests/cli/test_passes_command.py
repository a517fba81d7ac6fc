"""`facegate pass`, `pin` and `card` as a person types them."""

from __future__ import annotations

import re
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.cli.passes import draw_readable
from edge.enrol.pass_code import drawn
from edge.enrol.ways_in import WaysIn
from edge.errors import ConfigError, EnrolmentRefused, FacegateError, StoreError
from edge.policy.pin import PinMatch
from edge.store.journal import SqliteJournal
from edge.store.reader import JOURNAL_FILE, JournalReader
from tests.present import present

CARD = ("card", "add", "w26:17:4711", "otto")


def run(*words, keys: str | None = None, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], input=keys, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return (result.stdout if code == 0 else result.output).strip()


@pytest.fixture
def site(tmp_path):
    public = run("pass", "key", tmp_path / "pass.key")
    return tmp_path, tmp_path / "pass.key", public


class TestPass:
    def test_a_pass_is_made_drawn_and_read_back_from_its_picture(self, site):
        folder, key, public = site
        picture = folder / "visitor.png"
        text = run(
            "pass", "issue", "--key", key, "--host", "anna", "--until", "8h", "--uses", 3, "--door", "north",
            "--kind", "courier", "--out", picture,
        )  # fmt: skip
        for shown in (text, picture):
            output = run("pass", "verify", shown, "--public-key", public, "--door", "north")
            assert "courier of anna" in output
            assert "uses: 3" in output
            assert "door north: yes" in output
        assert "door south: no" in run("pass", "verify", text, "--public-key", public, "--door", "south")

    @pytest.mark.parametrize(
        "pasted",
        [
            lambda text: "\n".join(text[at : at + 40] for at in range(0, len(text), 40)),
            lambda text: "> " + "\r\n> ".join(text[at : at + 76] for at in range(0, len(text), 76)),
            lambda text: " ".join(text[at : at + 4] for at in range(0, len(text), 4)),
            lambda text: "\u200b".join(text[at : at + 10] for at in range(0, len(text), 10)) + "\ufeff",
            lambda text: f"您的通行码：{text.replace(':', '：')}。",
            lambda text: f"\u2068{text.lower()}\u2069\xad",
        ],
    )
    def test_a_text_that_a_chat_program_spoiled_is_read(self, site, pasted):
        _, key, public = site
        text = pasted(run("pass", "issue", "--key", key, "--host", "anna", "--until", "8h", "--uses", 0))
        for words in ([text], text.split()):
            assert "visitor of anna" in run("pass", "verify", *words, "--public-key", public)

    def test_a_code_that_the_door_cannot_read_is_drawn_again(self, tmp_path):
        texts = iter(["FG1:" + "A" * 3000, "FG1:" + "B" * 3000, "FG1:GOOD"])
        assert draw_readable(lambda: next(texts), tmp_path / "code.png") == "FG1:GOOD"

    def test_another_site_s_key_does_not_count(self, site):
        folder, key, _ = site
        text = run("pass", "issue", "--key", key, "--host", "anna", "--until", "2d", "--uses", 0)
        other = run("pass", "key", folder / "other.key")
        assert "no pass signed by that key" in run("pass", "verify", text, "--public-key", other, code=1)

    def test_a_key_is_private_and_never_overwritten(self, site):
        folder, key, _ = site
        assert key.stat().st_mode & 0o077 == 0
        with pytest.raises(ConfigError, match="a file already"):
            run("pass", "key", key)
        assert folder

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            (("--host", "anna", "--until", "soon"), "give now, 90m"),
            (("--host", "x" * 29, "--until", "8h"), "has 29 bytes of UTF-8, and a pass has room for 28"),
            (("--host", "anna", "--uses", 0, "--until", "9999-12-31T00:00Z"), "at most 366 days"),
            *(
                (("--host", "anna", "--until", "8h", "--door", door), "is no door's id")
                for door in ("北门", "front,back", "a b", "", "*", "x" * 65)
            ),
            (("--host", "anna", "--until", "2020-01-01T00:00+00:00"), "must be after"),
            (("--host", "anna", "--until", "99999999d"), "give now, 90m"),
        ],
    )
    def test_what_cannot_be_issued_says_why(self, site, words, complaint):
        assert complaint in run("pass", "issue", "--key", site[1], *words, code=2)

    def test_a_wrong_key_file_says_so(self, site):
        (site[0] / "short").write_bytes(b"x")
        for name, complaint in (("short", "1 bytes are no signing key"), ("gone", "facegate pass key")):
            with pytest.raises(ConfigError, match=complaint):
                run("pass", "issue", "--key", site[0] / name, "--host", "anna", "--until", "8h")

    def test_what_is_no_pass_is_told_by_what_it_is(self, site):
        """A picture that is not there was no pass signed by that key."""
        folder, _, public = site
        for words in ("wall.png", "https://u.wechat.com/x"):
            assert "no pass, whose text begins with FG1:, and no file" in run(
                "pass", "verify", words, "--public-key", public, code=1
            )
        (folder / "other.png").write_bytes(drawn("https://u.wechat.com/x"))
        told = run("pass", "verify", folder / "other.png", "--public-key", f" {public}\n", code=1)
        assert "the code in it is no pass; it says 'https://u.wechat.com/x'" in told

    def test_a_day_may_be_typed_with_wide_signs(self, site):
        words = ("--host", "anna", "--timezone", "UTC", "--uses", 0)
        until = (datetime.now(UTC) + timedelta(days=9)).strftime("%Y－%m－%d")
        assert "FG1:" in run("pass", "issue", "--key", site[1], *words, "--until", until)

    def test_rubbish_is_no_public_key_and_no_picture(self, site):
        assert "is no public key" in run("pass", "verify", "FG1:", "--public-key", "abc", code=2)
        (site[0] / "wall.png").write_bytes(b"no picture")
        assert "no readable code" in run(
            "pass", "verify", site[0] / "wall.png", "--public-key", site[2], code=1
        )


class TestPinAndCard:
    def test_a_random_pin_is_shown_once_and_opens(self, tmp_path):
        output = run("pin", "set", "anna", "--name", "Anna", "--number", "1203", "--data", tmp_path)
        pin = present(re.fullmatch(r"anna: 1203 \* (\d{6}) #", output))[1]
        with WaysIn.of(tmp_path) as ways:
            assert ways.book().match("1203", pin) == PinMatch("anna", is_duress=False)
        assert run("pin", "list", "--data", tmp_path) == "1203  anna"
        assert pin.encode() not in (tmp_path / "credentials.db").read_bytes()

    def test_a_chosen_duress_pin(self, tmp_path):
        run(
            "pin",
            "set",
            "anna",
            "--name=Anna",
            "--number",
            "7",
            "--duress",
            "--ask",
            "--data",
            tmp_path,
            keys="771204\n771204\n",
        )
        with WaysIn.of(tmp_path) as ways:
            assert ways.book().match("7", "771204") == PinMatch("anna", is_duress=True)
        assert run("pin", "list", "--data", tmp_path) == "7  anna  (duress)"

    def test_nobody_gets_a_pin_or_a_card_by_a_slip_of_the_number(self, tmp_path):
        """A PIN of nobody opens nothing, and stands in the way of the next one."""
        run("pin", "set", "anna", "--name", "Anna", "--number", "7", "--data", tmp_path)
        for words in (["pin", "set", "ana", "--number", "7"], ["card", "add", "w26:1:2", "ana"]):
            with pytest.raises(StoreError, match="ana: nobody has this number here"):
                run(*words, "--data", tmp_path)
        assert "did you mean anna?" in run("enrol", "remove", "ANNA", "--data", tmp_path, code=1)
        with pytest.raises(StoreError, match="did you mean anna"):
            run("card", "add", "w26:1:2", "ANNA", "--data", tmp_path)
        assert run("pin", "list", "--data", tmp_path) == "7  anna"
        assert run("card", "list", "--data", tmp_path) == ""

    def test_weak_pins_are_refused(self, tmp_path):
        with pytest.raises(EnrolmentRefused, match="a run or one digit"):
            run(
                "pin",
                "set",
                "anna",
                "--name",
                "Anna",
                "--number",
                "7",
                "--ask",
                "--data",
                tmp_path,
                keys="111111\n111111\n",
            )
        with pytest.raises(EnrolmentRefused, match="number '7a'"):
            run("pin", "set", "anna", "--name", "Anna", "--number", "7a", "--data", tmp_path)

    def test_one_lost_card_is_taken_back_and_the_rest_stays(self, tmp_path):
        run("pin", "set", "anna", "--name", "Anna", "--number", "7", "--data", tmp_path)
        for card in ("w26:17:4711", "hid:0042"):
            run("card", "add", card, "anna", "--name=Anna", "--data", tmp_path)
        assert run("card", "remove", "w26:17:4711", "--data", tmp_path) == "w26:17:4711: taken back from anna"
        assert run("card", "list", "--data", tmp_path) == "hid:0042  anna"
        assert "anna" in run("pin", "list", "--data", tmp_path)
        with pytest.raises(StoreError, match="nobody has this card"):
            run("card", "remove", "w26:17:4711", "--data", tmp_path)

    @pytest.mark.parametrize(
        "card", ["4711", "w26:17", "w26:256:1", "w26:1:65536", "w27:1:2", "hid:", "hid:4x"]
    )
    def test_a_card_that_no_reader_can_name_is_refused(self, tmp_path, card):
        with pytest.raises(EnrolmentRefused, match=card):
            run("card", "add", card, "anna", "--name=Anna", "--data", tmp_path)

    def test_cards_are_given_and_everything_is_taken_back(self, tmp_path):
        run("pin", "set", "anna", "--name", "Anna", "--number", "7", "--data", tmp_path)
        run("card", "add", "w26:17:4711", "anna", "--data", tmp_path)
        assert run("card", "list", "--data", tmp_path) == "w26:17:4711  anna"
        assert "2 PIN(s) and card(s) removed" in run("card", "remove", "anna", "--data", tmp_path)
        assert run("card", "list", "--data", tmp_path) == ""
        assert run("pin", "list", "--data", tmp_path) == ""

    def test_each_change_is_an_event_of_the_door_s_journal(self, tmp_path):
        journal = SqliteJournal(tmp_path / JOURNAL_FILE, "north", boot="first", clock_trust=lambda: "unknown")
        journal.close()  # the door has been started
        for who, words in {"anna": ("pin", "set", "anna", "--number", "7"), "otto": CARD}.items():
            run(*words, "--name", who.title(), "--data", tmp_path)
        run("card", "add", "w26:17:4711", "anna", "--data", tmp_path)
        run("card", "remove", "w26:17:4711", "--data", tmp_path)
        run("pin", "remove", "anna", "--data", tmp_path)
        with closing(JournalReader(tmp_path / JOURNAL_FILE)) as reader:
            events = [(one.kind, one.resident_id, dict(one.data)) for one in reader.read()]
        by = {"by": "command line"}
        card, number = by | {"method": "card"}, {"method": "pin", "number": "7"}
        assert events == [
            ("resident.added", "anna", by),
            ("credential.given", "anna", by | number),
            ("resident.added", "otto", by),
            ("credential.given", "otto", card),
            ("credential.removed", "otto", card),
            ("credential.given", "anna", card),
            ("credential.removed", "anna", card),
            ("credential.removed", "anna", by | {"method": "pin"}),
        ]

    def test_nothing_is_given_that_the_journal_cannot_tell_and_a_lost_card_goes_all_the_same(self, tmp_path):
        run(*CARD, "--name=Otto", "--data", tmp_path)
        (tmp_path / JOURNAL_FILE).write_bytes(b"no journal at all" * 400)
        for words in (("pin", "set", "otto", "--number", "7"), ("card", "add", "hid:0042", "otto")):
            with pytest.raises(FacegateError):
                run(*words, "--data", tmp_path)
        assert run("pin", "list", "--data", tmp_path) == ""
        with pytest.raises(FacegateError, match="it is done, and the journal does not tell of it yet"):
            run("card", "remove", "w26:17:4711", "--data", tmp_path)
        assert run("card", "list", "--data", tmp_path) == ""


@pytest.mark.parametrize("machine", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_a_time_without_a_zone_is_the_site_s_whatever_the_machine_s(site, monkeypatch, machine):
    _, key, public = site
    monkeypatch.setenv("TZ", machine)
    time.tzset()
    begin = ("--from", "2030-12-01T00:00+08:00", "--door", "north")
    wanted = ("pass", "issue", "--key", key, "--host", "anna", *begin, "--until", "2030-12-01T18:00")
    refused = run(*wanted, code=2)
    assert "names no time zone" in refused
    text = run(*wanted, "--timezone", "Asia/Shanghai")
    output = run("pass", "verify", text, "--public-key", public, "--timezone", "Asia/Shanghai")
    assert "2030-12-01 10:00:00 UTC" in output
    assert "2030-12-01 18:00 Asia/Shanghai" in output
    assert run(*wanted[:-1], "2030-12-01T18:00+08:00")


def test_a_plain_day_as_the_end_of_a_pass_still_counts(site):
    _, key, public = site
    wanted = (
        "pass",
        "issue",
        "--key",
        key,
        "--host",
        "anna",
        "--door",
        "north",
        "--timezone",
        "Asia/Shanghai",
    )
    for day in ("2030-12-01", "20301201", "2030/12/1"):
        text = run(*wanted, "--from", "2030-12-01", "--until", day)
        output = run("pass", "verify", text, "--public-key", public, "--timezone", "Asia/Shanghai")
        assert "(2030-12-01 00:00 to 2030-12-02 00:00 Asia/Shanghai)" in output


def test_an_offset_may_be_hours_alone(site):
    _, key, public = site
    wanted = (
        "pass",
        "issue",
        "--key",
        key,
        "--host",
        "anna",
        "--door",
        "north",
        "--from",
        "2030-12-01T00:00Z",
    )
    text = run(*wanted, "--until", "2030-12-01T18:00+08")
    assert "2030-12-01 10:00:00 UTC" in run("pass", "verify", text, "--public-key", public)


def test_what_a_pass_allows_is_told_beside_it(site):
    _, key, _ = site
    wish = ["pass", "issue", "--key", str(key), "--host", "anna", "--until", "8h", "--door", "north"]
    told = CliRunner().invoke(app, wish).stderr
    assert "anna: valid " in told
    assert "UTC, 1 time(s), north" in told
