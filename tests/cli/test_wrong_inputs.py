"""What people type wrongly: one line that names the thing and the way out, and an exit code."""

import os
from datetime import UTC, datetime

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
    ("hub nosuch", USAGE, "nosuch"),
    ("hub rn", USAGE, "did you mean run?"),
    ("doctor --jsn", USAGE, "Did you mean '--json'?"),
    ("enrol lst", USAGE, "Did you mean 'list'?"),
    # What a program asks for: the answer is empty and the reason stands where people look.
    ("events --json --data {}/none", FAILED, "there is no journal yet"),
    ("events --json --data {} --kind acess.granted", USAGE, "did you mean access.granted?"),
    ("enrol list --json --data {}/none", FAILED, "name the door's own with --data"),
    ("consent list --json --data {}/none", FAILED, "name the door's own with --data"),
    ("doctor --json --config {}/none.toml", CONFIG, "no such file"),
    ("replay {}/clip.mp4 --json --gallery {}", FAILED, "not a video that FFmpeg can read"),
    ("bench panel {}/none.mp4 --json", USAGE, "none.mp4"),
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
    (place / "broken.toml").write_text("hello world")
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


def test_a_group_without_a_command_tells_what_there_is(capfd):
    """As help does, without a complaint above it."""
    with pytest.raises(SystemExit) as left:
        main(["enrol"])
    said = capfd.readouterr()
    assert left.value.code == USAGE
    assert "import-encodings" in said.err + said.out
    assert "facegate: " not in said.err
