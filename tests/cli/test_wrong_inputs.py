"""What people type wrongly: one line that names the thing and the way out, and an exit code."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.cli import main
from edge.domain import EventDraft
from edge.events import Kind
from edge.store.journal import SqliteJournal

USAGE, FAILED, CONFIG = 2, 1, 78

WRONG = [
    # what is typed, exit code, words of the answer; {} is a folder with a journal and files that are not
    # what they are called
    ("evnts", USAGE, "did you mean events?"),
    ("qqq", USAGE, "known here: models, demo, run"),
    ("--nosuch", USAGE, "--nosuch"),
    ("enrol ad", USAGE, "'add'"),
    ("events --kin access", USAGE, "--kind"),
    ("events --data {} --kind acess.granted", USAGE, "did you mean access.granted?"),
    ("events --data {} --kind acc", USAGE, "no such events"),
    ("events --data {} --reason no_acces_rights", USAGE, "did you mean no_access_rights?"),
    ("events --data {} --since soon", USAGE, "give 30m, 2h, 7d"),
    ("events --data {} --since 99999999999d", USAGE, "give 30m, 2h, 7d"),
    ("events --data {} --since 0001-01-01T00:00+14:00", USAGE, "give 30m, 2h, 7d"),
    ("pass issue --key k --host a --until 0001-01-01T00:00+14:00", USAGE, "give now, 90m, 8h"),
    ("events --data {} -n many", USAGE, "many"),
    ("events --data {} --zone Asia/Shangai", USAGE, "such as Asia/Shanghai"),
    ("events --data {}/none", FAILED, "there is no journal yet"),
    ("events --data {}/clip.mp4", USAGE, "is a file"),
    ("events verify --data {}/none", FAILED, "there is no journal yet"),
    ("explain 999 --data {}", FAILED, "`facegate events` shows numbers and ids"),
    ("explain '' --data {}", FAILED, "its number, its id or `last`"),
    ("explain last --data {}/none", FAILED, "there is no journal yet"),
    ("enrol add flat-1 {}/none.jpg --data {}/new --consent paper", USAGE, "none.jpg"),
    ("enrol add flat-1 {}/pipe --data {}/new --consent paper", USAGE, "a pipe or device; save it as a file"),
    ("replay {}/pipe --gallery {}", USAGE, "a pipe or device; save it as a file"),
    ("enrol add flat-1 --data {}/new --consent paper", USAGE, "at least one picture or --camera"),
    ("enrol add '' {}/clip.mp4 --data {}/new", USAGE, "1 to 128 printable characters"),
    ("enrol remove nobody --data {}", FAILED, "see facegate enrol list"),
    ("enrol list --data {}/none", FAILED, "name the door's own with --data"),
    ("enrol import-encodings {}/clip.mp4 --data {}/new", FAILED, "unknown kind of file"),
    ("consent list --data {}/none", FAILED, "name the door's own with --data"),
    ("consent record nobody --data {}", USAGE, "say where the agreement is kept"),
    ("consent withdraw nobody --data {}", FAILED, "no such resident"),
    ("pin set nobody --number 1203 --data {}", FAILED, "--name NAME adds them"),
    ("card add hid:4711 nobody --data {}", FAILED, "--name NAME adds them"),
    ("pin set nobody --number abc --data {}", FAILED, "1 to 8 digits"),
    ("pin remove nobody --data {}", FAILED, "no PIN and no card"),
    ("card add xx flat-1 --data {}", FAILED, "w26:FACILITY:NUMBER"),
    ("card remove nobody --data {}", FAILED, "no PIN and no card"),
    ("pass isue", USAGE, "'issue'"),
    ("pass key {}/none/pass.key", FAILED, "none/pass.key: No such file or directory"),
    ("pass key {}/clip.mp4/pass.key", FAILED, "clip.mp4/pass.key: Not a directory"),
    ("policy check --rules {}/none.toml", CONFIG, "none.toml"),
    ("config --config {}/none.toml", CONFIG, "no such file"),
    ("config --config {}/broken.toml", CONFIG, "not valid TOML"),
    ("run --config {}/none.toml", CONFIG, "no such file"),
    ("replay {}/none.mp4 --gallery {}", USAGE, "none.mp4"),
    ("replay {}/clip.mp4 --gallery {}", FAILED, "not a video that FFmpeg can read"),
    ("replay {}/clip.mp4 --gallery {} --fpir 7", USAGE, "0<x<1"),
    ("demo --video {}/clip.mp4 --gallery {}", FAILED, "not a video that FFmpeg can read"),
    ("demo --camera 0", USAGE, "who may come in?"),
    ("models install --from {}/none", USAGE, "none"),
    ("restore {}/none.fgb --data {}/new", FAILED, "no such file"),
    ("reference nosuch", USAGE, "'events', 'reasons', 'settings'"),
    ("panel --port 99999", USAGE, "99999"),
    ("panel --camera {}/none.mp4 --data {}/new", USAGE, "no such file, and no camera"),
    ("panel --camera video0 --data {}/new", CONFIG, "write /dev/video0"),
    ("sharing request front {}/none/front.json --data {}/new", FAILED, "there is no folder"),
    ("hub --site {}/none run", CONFIG, "not a provisioned site"),
    ("hub nosuch", USAGE, "nosuch"),
    ("hub rn", USAGE, "did you mean run?"),
    ("doctor --jsn", USAGE, "Did you mean '--json'?"),
    ("enrol lst", USAGE, "Did you mean 'list'?"),
    ("run -c {}/broken.toml", USAGE, "see facegate run --help"),
    ("run --config {}", USAGE, "is a directory; see facegate run --help"),
    ("config --config {}/wrong.toml", CONFIG, "did you mean timezone?"),
    ("doctor --language fr", USAGE, "'en', 'zh'"),
    ("doctor --config {}/wrong.toml", CONFIG, "'gpio' or 'dry-run'"),
    ("enrol add", USAGE, "'RESIDENT_ID'; see facegate enrol add --help"),
    ("enrol add flat-1 {}/bad.png --data {} --consent paper", FAILED, "Use a photo in JPEG"),
    ("enrol add flat-1 {} --data {}/new --consent paper", USAGE, "is a directory"),
    ("enrol remove", USAGE, "see facegate enrol remove --help"),
    ("enrol rename a b", USAGE, "Did you mean 'remove'?"),
    ("events --data {} --until yesterday", USAGE, "'--until'; see facegate events --help"),
    ("events --data {} --limit -5", USAGE, "-5 is not in the range"),
    ("events --data {} --format xml", USAGE, "'--format'"),
    ("events verify extra --data {}", USAGE, "unexpected extra argument"),
    ("explain --data {}", USAGE, "see facegate explain --help"),
    ("explain -3 --data {}", USAGE, "see facegate explain --help"),
    ("pin set flat-1 --number 123456789 --data {}", FAILED, "1 to 8 digits"),
    ("pin set flat-1 --number 12 --pin 12 --data {}", USAGE, "'--pin'; see facegate pin set --help"),
    ("pin list --jsonn --data {}", USAGE, "Did you mean '--json'?"),
    ("card add w26:999:1 flat-1 --data {}", FAILED, "up to 255"),
    ("card list --data {}/clip.mp4", USAGE, "is a file"),
    ("pass check x", USAGE, "'check'; see facegate pass --help"),
    ("pass issue --key k --host a --until tomorow", USAGE, "give now, 90m, 8h"),
    ("policy check --rules {}/rules.toml", CONFIG, "did you mean always?"),
    ("policy check --rules {}/broken.toml", CONFIG, "not valid TOML"),
    ("policy simulate --rules {}/rules.toml --since 7 --data {}", USAGE, "give 30m, 2h, 7d"),
    ("account set ines --role boss --data {}", USAGE, "'installer', 'staff', 'auditor'"),
    ("account remove nobody --data {}", FAILED, "start the door once"),
    ("clock --confrm", USAGE, "Did you mean '--confirm'?"),
    ("keys rotat", USAGE, "Did you mean 'rotate'?"),
    ("backup {}/x.fgb --data {}/none", FAILED, "name the door's"),
    ("backup {}/none/x.fgb --data {}", FAILED, "make it, or name another"),
    ("backup {}/pipe --data {}", FAILED, "name a file, and copy it"),
    ("backup {}/link --data {}", FAILED, "this is a link"),
    ("sharing request front {}/pipe --data {}/new", FAILED, "name a file, and copy it"),
    ("restore {}/clip.mp4 --data {}/new", FAILED, "not a facegate backup"),
    ("restore --data {}/new", USAGE, "'FILE'; see facegate restore --help"),
    ("models install nosuch", FAILED, "the manifest has yunet"),
    ("bench gate --people {} --report {}/clip.mp4", USAGE, "is a file"),
    ("bench matcher --dim 0", USAGE, "0 is not in the range"),
    ("bench matcher --plot {}/x.doc", FAILED, "no plot is written as .doc"),
    ("bench matcher --plot {}/none/x.png", USAGE, "there is no folder"),
    ("bench matcher --seconds nan", USAGE, "nan is not in the range"),
    ("bench panel {}/clip.mp4 --seconds -1", USAGE, "-1.0 is not in the range"),
    ("bench soak {}/clip.mp4 --gallery {} --minutes 0", USAGE, "0.0 is not in the range"),
    ("bench video {}/clip.mp4 --gallery {} --rounds 0", USAGE, "0 is not in the range"),
    ("bench video {}/clip.mp4 --gallery {}", FAILED, "nothing was measured"),
    ("bench enrol {}/empty", FAILED, "no recordings in it"),
    ("evaluate open-set --images {} --protocol {}/bad.png", FAILED, "no text in UTF-8"),
    ("evaluate rates --images {} --plots {}/clip.mp4", USAGE, "is a file"),
    ("evaluate pad {} --plot {}/x.doc", FAILED, "no plot is written as .doc"),
    ("evaluate pad {} --page {}/none/x.md", USAGE, "there is no folder"),
    ("evaluate pad {} --series plain,odd", FAILED, "no series is called odd"),
    ("evaluate pad {} --reach nan", USAGE, "nan is not in the range"),
    ("models add {}/clip.mp4 --sha256 00 --divide nan", USAGE, "nan is not in the range"),
    ("models remove yunet", FAILED, "added no model"),
    ("bench matcher --sizes ten", USAGE, "Did you mean"),
    ("bench panel {}/clip.mp4", FAILED, "not a video that FFmpeg can read"),
    ("consent notice --language fr", USAGE, "'en', 'zh'"),
    (
        "consent record a --consent-on 31.12.2026 --consent p --data {}",
        USAGE,
        "give a day such as 2026-03-14",
    ),
    ("consent verify {}/clip.mp4", USAGE, "Did you mean 'verify-receipt'?"),
    ("provision site", USAGE, "see facegate provision site --help"),
    ("relay-guard --config {}", CONFIG, "run facegate config"),
    ("hub roster import {}/none.csv", USAGE, "No such file"),
    ("hub events export --since 31.12.2026", USAGE, "give a day such as 2026-03-14"),
    ("panel --port 80x", USAGE, "'80x'"),
    ("pad report {}", USAGE, "Did you mean 'record'?"),
    # What a program asks for: the answer is empty and the reason stands where people look.
    ("events --json --data {}/none", FAILED, "there is no journal yet"),
    ("events --json --data {} --kind acess.granted", USAGE, "did you mean access.granted?"),
    ("enrol list --json --data {}/none", FAILED, "name the door's own with --data"),
    ("consent list --json --data {}/none", FAILED, "name the door's own with --data"),
    ("doctor --json --config {}/none.toml", CONFIG, "no such file"),
    ("replay {}/clip.mp4 --json --gallery {}", FAILED, "not a video that FFmpeg can read"),
    ("bench panel {}/none.mp4 --json", USAGE, "none.mp4"),
    ("bench door --people {}/none", USAGE, "none"),
    ("bench door --people {} --slower 0.5", USAGE, "0.5"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A door's folder as it is after a first event, and files that are not what they are called."""
    place = tmp_path_factory.mktemp("door")
    journal = SqliteJournal(place / "journal.db", "door-1", boot="b", clock_trust=lambda: "synced")
    journal.append(EventDraft(Kind.DOOR_FORCED, datetime.now(UTC), 1.0))
    journal.close()
    (place / "clip.mp4").write_text("this is no video")
    os.mkfifo(place / "pipe")
    (place / "empty").mkdir()
    (place / "link").symlink_to(place / "elsewhere.fgb")
    (place / "broken.toml").write_text("hello world")
    (place / "bad.png").write_bytes(b"\x89PNG\r\n")
    (place / "rules.toml").write_text('[levels.resident]\nschedule = "alway"\n')
    (place / "wrong.toml").write_text(
        '[door]\nid = "a"\ntimezon = "UTC"\n[camera]\nsource = "0"\n[lock]\ndriver = "gpoi"\n'
    )
    return place


@pytest.mark.parametrize(("typed", "code", "words"), WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_input_is_one_clear_line(folder, capfd, typed, code, words):
    """No traceback, nothing of OpenCV's own, no folder made; usage may stand above the line."""
    given = ["" if word == "''" else word.replace("{}", str(folder)) for word in typed.split()]
    with pytest.raises(SystemExit) as left:
        main(given)
    said = capfd.readouterr()
    lines = [line for line in said.err.splitlines() if not line.startswith(("Usage: ", "silentface"))]
    assert left.value.code == code
    assert lines[0].startswith("facegate: ")
    assert words in "\n".join(lines)
    assert "Traceback" not in said.err
    assert not said.out
    assert not (folder / "none").exists()
    assert not (folder / "new").exists()


@pytest.mark.parametrize("typed", ["events --data {}", "reference events", "simulate --keys gow"])
def test_output_for_which_there_is_no_room_is_one_clear_line(folder, typed):
    """As `facegate events > file` on a full disk ends."""
    command = [sys.executable, "-m", "edge.cli", *typed.replace("{}", str(folder)).split()]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == FAILED
    assert done.stderr == "facegate: what is told cannot be written: No space left on device\n"


def test_what_a_terminal_of_another_encoding_typed_is_one_clear_line(tmp_path, capfd):
    """Bytes of GBK, as Python has them among the words of a command."""
    site = tmp_path / "site"
    with pytest.raises(SystemExit):
        main(["provision", "site", str(site), "--broker", "localhost"])
    capfd.readouterr()
    typed = "3栋1203".encode("gbk").decode("utf-8", "surrogateescape")
    with pytest.raises(SystemExit) as left:
        main(["hub", "--site", str(site), "roster", "remove", typed])
    assert left.value.code == FAILED
    assert capfd.readouterr().err.startswith("facegate: 3\\udcb6")


def test_a_group_without_a_command_tells_what_there_is(capfd):
    """As help does, without a complaint above it."""
    with pytest.raises(SystemExit) as left:
        main(["enrol"])
    said = capfd.readouterr()
    assert left.value.code == USAGE
    assert "import-encodings" in said.err + said.out
    assert "facegate: " not in said.err
