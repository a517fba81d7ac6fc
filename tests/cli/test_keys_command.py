"""`facegate keys`: what it says, what it changes, and where it is of no use."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.domain import Resident, Template
from edge.errors import KeyUnavailable, StoreError
from edge.store.key_source import KeySource, use_source
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.site_key import CREDENTIAL, SITE_KEY_FILE

AT = datetime(2026, 3, 1, tzinfo=UTC)
WORDS = "correct horse battery"


def run(*words, environ=None, fails=None):
    done = CliRunner().invoke(app, [str(word) for word in words], env=environ)
    if fails is None:
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output
    assert isinstance(done.exception, fails)
    return str(done.exception)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "door"
    vector = np.random.default_rng(0).normal(size=128).astype(np.float32)
    with closing(ResidentStore(folder / RESIDENTS_FILE)) as store:
        store.put(Resident("anna", "Anna"), [Template("anna", vector / np.linalg.norm(vector), "m1", AT)])
    return folder


@pytest.fixture
def unit(data, tmp_path):
    """The folder's key is a credential; give the environment of the unit that gets it."""
    (tmp_path / CREDENTIAL).write_bytes(os.urandom(32))
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert use_source(data, KeySource("credential"), environ)
    return environ


def test_the_file_is_called_what_it_is(data):
    said = run("keys", "status", "--data", data)
    assert "source: file" in said
    assert "obfuscation" in said
    assert "keys of people: 1" in said


def test_a_new_key_and_the_same_faces(data):
    before = (data / SITE_KEY_FILE).read_bytes()
    assert "1 people's keys" in run("keys", "rotate", "--data", data)
    assert (data / SITE_KEY_FILE).read_bytes() != before
    with closing(ResidentStore(data / RESIDENTS_FILE)) as store:
        assert len(store.templates_of("anna")) == 1


def test_an_empty_folder_has_no_key_and_gets_none(tmp_path):
    assert "name the door's folder" in run("keys", "status", "--data", tmp_path, fails=StoreError)
    assert list(tmp_path.iterdir()) == []


def test_a_shell_without_the_credential_can_check_no_row_and_opens_no_face(data, unit):
    assert "source: credential" in run("keys", "status", "--data", data)
    assert "facegate.key" in run("keys", "rotate", "--data", data, fails=KeyUnavailable)
    with closing(ResidentStore(data / RESIDENTS_FILE)) as store:
        with pytest.raises(KeyUnavailable):
            store.get("anna")  # whether the row was edited cannot be told
        with pytest.raises(KeyUnavailable):
            store.templates_of("anna")


def test_a_backup_needs_no_key_and_opens_where_the_key_is(data, unit, tmp_path):
    (tmp_path / "words").write_text(WORDS)
    words = ["--passphrase-file", tmp_path / "words"]
    run("backup", tmp_path / "f", "--data", data, *words)
    run("restore", tmp_path / "f", "--data", tmp_path / "new", *words)
    assert "source: credential" in run("keys", "status", "--data", tmp_path / "new")
    assert "Anna" in run("enrol", "list", "--data", tmp_path / "new", environ=unit)
