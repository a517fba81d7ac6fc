"""Where the site key comes from: changes of source, power cuts in between, a real TPM."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from edge.domain import Resident
from edge.errors import KeyUnavailable, StoreError
from edge.store.key_source import (
    KEY_SOURCE_FILE,
    KeySource,
    change_key,
    keyring_of,
    read_source,
    told_of_weakening,
    use_source,
)
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.site_key import CREDENTIAL, NEW_CREDENTIAL, SITE_KEY_FILE
from tests.loopback import free_port
from tests.store.test_residents import template
from tests.waiting import PATIENCE, wait_until

CREDENTIALS = KeySource("credential")


def raw(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def unit(tmp_path):
    """The environment of a unit that is given the credential."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / CREDENTIAL).write_bytes(os.urandom(32))
    return {"CREDENTIALS_DIRECTORY": str(folder)}


FACE = template("anna", 1)


def sealed_in(data, environ=None):
    """Enrol Anna; nothing of her is outside the folder."""
    with closing(people(data, environ or {})) as store:
        store.put(Resident("anna", "Anna"), [FACE])
    return store


def people(data, environ):
    return ResidentStore(data / RESIDENTS_FILE, keyring_of(data, environ))


def opened(data, _store, environ):
    """Return whether Anna's face opens, and her name."""
    with closing(people(data, environ)) as store:
        (face,) = store.templates_of("anna")
        return (face.embedding == FACE.embedding).all(), store.get("anna").name


def test_a_folder_without_a_note_has_its_key_in_a_file(data):
    assert read_source(data) == KeySource("file")
    sealed_in(data)
    assert (data / SITE_KEY_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "cloud"}', '{"kind": "file", "colour": 1}'])
def test_a_note_that_is_none_is_refused(data, text):
    (data / KEY_SOURCE_FILE).write_text(text)
    with pytest.raises(StoreError, match="not a note of where the key is"):
        read_source(data)


def test_a_credential_takes_over_and_the_card_holds_no_key_any_more(data, unit):
    sealed = sealed_in(data)
    key = (data / SITE_KEY_FILE).read_bytes()
    assert use_source(data, CREDENTIALS, unit)
    assert not use_source(data, CREDENTIALS, unit), "nothing to do twice"
    assert opened(data, sealed, unit) == (True, "Anna")
    assert not (data / SITE_KEY_FILE).exists()
    assert key not in raw(data)


def test_outside_the_unit_nothing_opens_and_the_message_says_why(data, unit):
    sealed_in(data)
    use_source(data, CREDENTIALS, unit)
    with closing(people(data, {})) as store, pytest.raises(KeyUnavailable, match=CREDENTIAL):
        store.templates_of("anna")


def test_a_source_that_gives_no_key_changes_nothing(data):
    sealed = sealed_in(data)
    with pytest.raises(KeyUnavailable):
        use_source(data, CREDENTIALS, {})
    assert read_source(data) == KeySource()
    assert opened(data, sealed, {}) == (True, "Anna")


def test_another_credential_is_taken_when_it_is_offered(data, unit):
    sealed = sealed_in(data)
    use_source(data, CREDENTIALS, unit)
    with pytest.raises(StoreError, match=r"facegate-new\.key"):
        change_key(data, unit)
    folder = Path(unit["CREDENTIALS_DIRECTORY"])
    (folder / NEW_CREDENTIAL).write_bytes(os.urandom(32))
    assert change_key(data, unit) == 1
    (folder / NEW_CREDENTIAL).replace(folder / CREDENTIAL)
    assert opened(data, sealed, unit) == (True, "Anna")


def test_back_to_a_file_is_a_step_of_its_own_and_is_told_once(data, unit):
    """A setting alone, which who has the card can write, does not put the key onto it."""
    sealed = sealed_in(data)
    use_source(data, CREDENTIALS, unit)
    with pytest.raises(StoreError, match="facegate keys weaken"):
        use_source(data, KeySource("file"), unit)
    assert not (data / SITE_KEY_FILE).exists()
    assert use_source(data, KeySource("file"), unit, may_weaken=True)
    assert opened(data, sealed, {}) == (True, "Anna")
    assert (told_of_weakening(data), told_of_weakening(data)) == ("credential", None)
    assert read_source(data) == KeySource("file")


def test_a_change_that_was_cut_short_cannot_be_turned_into_a_weaker_one(data, unit):
    sealed_in(data)
    use_source(data, CREDENTIALS, unit)
    (data / KEY_SOURCE_FILE).write_text('{"kind": "file", "former": {"kind": "credential"}}')
    with pytest.raises(StoreError, match="facegate keys weaken"):
        use_source(data, KeySource("file"), unit)


KILLED = """
    import os, sqlite3, sys
    from pathlib import Path
    from edge.store import key_source, resealing
    environ = {"CREDENTIALS_DIRECTORY": sys.argv[1]}
    left = 0
    def watch(event, args):
        # Every step that reaches the disk: files opened for writing, renamed or removed, and commits.
        global left
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in {"os.rename", "os.remove", "os.link"}:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), 9)
    commit = lambda statement: watch("os.rename", ()) if statement.startswith(("COMMIT", "VACUUM")) else None
    opened = key_source.keyring_of
    def traced(*args):
        ring = opened(*args)
        ring._connection.set_trace_callback(commit)
        return ring
    key_source.keyring_of = traced
    opened_file = resealing.open_database
    def traced_file(*args, **functions):
        connection = opened_file(*args, **functions)
        connection.set_trace_callback(commit)
        return connection
    resealing.open_database = traced_file
    def change(data):
        {what}

    # A process for each trial, which finds the modules loaded.
    for line in sys.stdin:
        data = Path(line.rstrip("\\n"))
        left += 1
        if (child := os.fork()) == 0:
            sys.addaudithook(watch)
            change(data)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@contextmanager
def cuts(what, folder):
    """Give what changes a folder's key in a process that is killed at a step, one step later each time.

    It says whether the change came to its end first.
    """
    code = textwrap.dedent(KILLED).replace("{what}", what)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def came_to_its_end(data):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{data}\n")
            process.stdin.flush()
            ended = process.stdout.readline()
            assert ended in ("0\n", f"{-signal.SIGKILL}\n"), ended
            return ended == "0\n"

        yield came_to_its_end


@pytest.mark.parametrize(
    "what",
    [
        "key_source.use_source(data, key_source.KeySource('credential'), environ)",
        "key_source.change_key(data, environ)",
    ],
)
def test_a_power_cut_at_any_step_leaves_a_key_that_opens_everything(tmp_path, unit, what):
    with cuts(what, unit["CREDENTIALS_DIRECTORY"]) as came_to_its_end:
        for step in range(1, 60):
            data = tmp_path / f"data-{step}"
            data.mkdir()
            sealed = sealed_in(data)
            is_done = came_to_its_end(data)
            assert opened(data, sealed, unit) == (True, "Anna"), f"killed at step {step}"
            use_source(data, CREDENTIALS, unit)
            assert opened(data, sealed, unit) == (True, "Anna"), f"finished after step {step}"
            assert not (data / SITE_KEY_FILE).exists()
            if is_done:
                assert step > 4, "the steps were seen"
                return
    pytest.fail("never came to its end")


def test_a_power_cut_while_the_first_key_is_made_leaves_a_folder_that_works(tmp_path):
    first = "ring = key_source.keyring_of(data, {}); ring.seal(b'x', b'facegate template\\0anna\\0m1')"
    with cuts(first, tmp_path) as came_to_its_end:
        for step in range(1, 60):
            data = tmp_path / f"data-{step}"
            data.mkdir()
            is_done = came_to_its_end(data)
            assert opened(data, sealed_in(data), {}) == (True, "Anna"), f"killed at step {step}"
            if is_done:
                assert step > 3
                return
    pytest.fail("never came to its end")


@contextmanager
def software_tpm(folder):
    """A TPM 2.0 in a process; gives systemd's name for it."""
    folder.mkdir()
    port = free_port()  # the next one is taken for control, as its clients expect
    command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--flags", "startup-clear"]
    command += ["--server", f"type=tcp,port={port},bindaddr=127.0.0.1"]
    command += ["--ctrl", f"type=tcp,port={port + 1},bindaddr=127.0.0.1"]
    process = subprocess.Popen(command)
    try:
        wait_until(lambda: is_listening(port) and is_listening(port + 1))
        yield f"swtpm:host=127.0.0.1,port={port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def is_listening(port):
    """Look without connecting: this TPM serves one connection after the other and ends with the first."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A" for row in rows)


def creds(action, tpm, *files):
    extra = ["--name=facegate.key", f"--tpm2-device={tpm}"]
    if action == "encrypt":
        extra += ["--with-key=tpm2", "--tpm2-pcrs=7"]
    command = ["systemd-creds", action, *extra, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)


def missing_tools():
    return [name for name in ("swtpm", "systemd-creds") if shutil.which(name) is None]


@pytest.mark.skipif(
    bool(missing_tools()) and not os.environ.get("FACEGATE_CI"), reason="needs swtpm and systemd-creds"
)
def test_a_card_with_a_key_in_the_tpm_opens_at_this_board_only(data, tmp_path):
    """The commands of docs/panel.md, on a software TPM; another TPM is the thief's board."""
    assert not missing_tools()
    key, sealed_key, folder = tmp_path / "key", tmp_path / "key.cred", tmp_path / "credentials"
    key.write_bytes(os.urandom(32))
    folder.mkdir()
    unit = {"CREDENTIALS_DIRECTORY": str(folder)}
    with software_tpm(tmp_path / "board") as tpm:
        made = creds("encrypt", tpm, key, sealed_key)
        assert made.returncode == 0, made.stderr
        opened_key = creds("decrypt", tpm, sealed_key, folder / CREDENTIAL)
        assert opened_key.returncode == 0, opened_key.stderr
    sealed = sealed_in(data)
    use_source(data, CREDENTIALS, unit)
    assert opened(data, sealed, unit) == (True, "Anna")
    plain = key.read_bytes()
    assert plain not in raw(data)
    assert plain not in sealed_key.read_bytes(), "what lies on the card beside the folder"

    with software_tpm(tmp_path / "thief") as other:
        assert creds("decrypt", other, sealed_key, tmp_path / "stolen").returncode != 0
    assert not (tmp_path / "stolen").exists()
