"""What root does in the service's folder is done with the service's rights: nothing in it leads root out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.domain import EventDraft
from edge.events import Kind
from edge.faces.manifest import load_manifest
from edge.faces.weights import models_directory
from edge.store.acting import Owner, acting_as, owner_to_become
from edge.store.journal import SqliteJournal
from edge.store.residents import ResidentStore
from tests.places import REPOSITORY
from tests.waiting import PATIENCE

SOMEBODY = 4711
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for somebody else")


def is_checkout_open():
    """Return whether somebody else than root may read this checkout, as an installed program always is."""
    with acting_as(Owner(SOMEBODY, SOMEBODY) if os.geteuid() == 0 else None):
        return os.access(REPOSITORY / "edge" / "__init__.py", os.R_OK, effective_ids=True)


only_readable = pytest.mark.skipif(not is_checkout_open(), reason="nobody but root may read this checkout")


PRELOADED = "import rich.console, rich.status, edge.faces.install; from edge.cli import main; main()"
"""A Python that lies in root's home, as pyenv's does, can be read by nobody else afterwards."""


def run(*words, program=REPOSITORY):
    """Run a command as its own process: it gives up its rights for good."""
    command = [sys.executable, "-c", PRELOADED, *map(str, words)]
    done = subprocess.run(command, cwd=program, capture_output=True, text=True, check=False, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def open_to_all():
    """A folder that every user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def door(open_to_all):
    """The folder of a door that belongs to somebody, with a journal in it."""
    data = open_to_all / "lib" / "facegate"
    data.mkdir(parents=True)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    with closing(
        SqliteJournal(data / "journal.db", "north", boot="b", clock_trust=lambda: "synced")
    ) as journal:
        journal.append(EventDraft(Kind.SERVICE_STARTED, at, 0.0))
    ResidentStore(data / "residents.db").close()
    give(data)
    (open_to_all / "words").write_text("a long passphrase 12\n")
    (open_to_all / "words").chmod(0o600)
    return data


def give(folder):
    for path in (folder, *folder.rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)


def owners(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


@only_root
def test_a_program_that_the_service_cannot_read_is_refused_in_words_and_nothing_is_done(door, open_to_all):
    program = open_to_all / "checkout"
    shutil.copytree(REPOSITORY / "edge", program / "edge", ignore=shutil.ignore_patterns("__pycache__"))
    program.chmod(0o700)
    code, output = run("card", "add", "w26:17:4711", "anna", "--name=Anna", "--data", door, program=program)
    assert code == 1
    assert f"{program}: {SOMEBODY} cannot read the program here" in output
    assert "Traceback" not in output
    assert "credentials.db" not in owners(door)


@only_root
@only_readable
def test_what_root_adds_to_the_service_s_folder_belongs_to_the_service(door):
    code, output = run("card", "add", "w26:17:4711", "anna", "--name=Anna", "--data", door)
    assert code == 0, output
    assert f"working as {SOMEBODY}" in output
    assert "credentials.db" in owners(door)
    assert set(owners(door).values()) == {SOMEBODY}


@only_root
@only_readable
@pytest.mark.parametrize("command", ["pin list", "card list", "enrol list", "clock", "keys status"])
def test_no_command_of_root_follows_a_link_out_of_the_folder(door, open_to_all, command):
    secret = open_to_all / "root-only"
    secret.write_text("root:secret-hash\n")
    secret.chmod(0o600)
    for name in ("credentials.db", "pin.key", "clock-floor", "consents.db"):
        (door / name).symlink_to(secret)
    give(door)
    _, output = run(*command.split(), "--data", door)
    assert "secret-hash" not in output
    assert secret.read_text() == "root:secret-hash\n"
    assert secret.stat().st_uid == 0


@only_root
def test_a_restore_copies_nothing_of_root_s_and_gives_nothing_away(door, open_to_all):
    backup, words = open_to_all / "b.fgb", open_to_all / "words"
    code, output = run("backup", backup, "--data", door, "--passphrase-file", words)
    assert code == 0, output
    assert backup.stat().st_uid == 0
    secret, tool = open_to_all / "root-only", open_to_all / "root-tool"
    secret.write_text("root:secret-hash\n")
    secret.chmod(0o600)
    tool.write_text("#!/bin/sh\n")
    (door / "models").mkdir()
    (door / "models" / "soft.onnx").symlink_to(tool)
    (door / "models" / "hard.onnx").hardlink_to(tool)
    (door / "mode.json").symlink_to(secret)
    (door / "old-journals").symlink_to(open_to_all)
    for path in (door, *(one for one in door.rglob("*") if one.name != "hard.onnx")):
        os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
    code, output = run("restore", backup, "--data", door, "--replace", "--passphrase-file", words)
    assert code == 0, output
    assert (secret.stat().st_uid, tool.stat().st_uid) == (0, 0)
    assert not (door / "mode.json").exists()
    readable = [path for path in door.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in readable if b"secret-hash" in path.read_bytes()]
    assert {path.lstat().st_uid for path in (door, *door.rglob("*"))} == {SOMEBODY}


@only_root
def test_a_backup_takes_nothing_that_the_folder_s_owner_may_not_read(door, open_to_all):
    secret = open_to_all / "root-only"
    secret.write_text("root:secret-hash\n")
    secret.chmod(0o600)
    (door / "receipt.key").symlink_to(secret)
    give(door)
    code, output = run(
        "backup", open_to_all / "b.fgb", "--data", door, "--passphrase-file", open_to_all / "words"
    )
    assert code == 1
    assert "Permission denied" in output
    assert not (open_to_all / "b.fgb").exists()


@only_root
def test_a_backup_follows_no_link_among_the_rules_that_the_service_may_change(door, open_to_all):
    """It was read with root's rights, and what it led to came back into the service's folder by a restore."""
    secret, rules = open_to_all / "root-only", open_to_all / "rules.toml"
    secret.write_text("root:secret-hash\n")
    secret.chmod(0o600)
    rules.write_text("")
    settings = open_to_all / "c.toml"
    lock = '[lock]\ndriver = "dry-run"\n'
    settings.write_text(f'[door]\nid = "gate"\n[camera]\nsource = "0"\n{lock}[access]\nrules = "{rules}"\n')
    give(door)
    words = ("--data", door, "--config", settings, "--passphrase-file", open_to_all / "words")
    code, output = run("backup", open_to_all / "a.fgb", *words)
    assert code == 0, output
    rules.unlink()
    rules.symlink_to(secret)
    code, output = run("backup", open_to_all / "b.fgb", *words)
    assert "access.rules" in output
    assert "Permission denied" in output
    assert not (open_to_all / "b.fgb").exists()


@only_root
def test_rights_come_back_after_a_block(tmp_path):
    before = os.geteuid(), os.getegid(), os.getgroups()
    with acting_as(Owner(SOMEBODY, SOMEBODY)):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (SOMEBODY, SOMEBODY, [SOMEBODY])
        with pytest.raises(PermissionError):
            (tmp_path / "x").touch()
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


def test_nobody_is_become_in_one_s_own_folder(tmp_path):
    assert owner_to_become(tmp_path) is None
    assert owner_to_become(tmp_path / "missing") is None
    with acting_as(None):
        (tmp_path / "x").touch()


@pytest.fixture
def brought(open_to_all, door, monkeypatch):
    """A model that everybody may read, and a door of somebody's that has none."""
    folder = open_to_all / "brought"
    folder.mkdir()
    shutil.copy(models_directory() / load_manifest().model("yunet").file, folder)
    monkeypatch.setenv("STATE_DIRECTORY", str(door))
    monkeypatch.delenv("FACEGATE_MODELS", raising=False)
    return folder


@only_root
@only_readable
def test_models_belong_to_the_door_that_they_are_put_into(door, brought):
    code, output = run("models", "install", "yunet", "--from", brought)
    assert code == 0, output
    assert any(name.startswith("models/") for name in owners(door))
    assert set(owners(door).values()) == {SOMEBODY}


@only_root
@only_readable
def test_models_that_the_door_cannot_read_are_refused_before_anything_is_done(door, brought):
    brought.chmod(0o700)
    code, output = run("models", "install", "yunet", "--from", brought)
    assert code == 1
    assert f"{brought}: {SOMEBODY}, to whom {door} belongs, cannot read it" in output
    assert "models" not in owners(door)


@only_root
@only_readable
def test_a_link_in_place_of_the_models_leads_root_nowhere(door, brought, open_to_all):
    (open_to_all / "roots").mkdir()
    (door / "models").symlink_to(open_to_all / "roots")
    give(door)
    code, output = run("models", "install", "yunet", "--from", brought)
    assert code == 1
    assert "Permission denied" in output
    assert list((open_to_all / "roots").iterdir()) == []
