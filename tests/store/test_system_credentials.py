"""A command of root at a door whose key is systemd's credential opens the key itself."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing

import pytest

from edge.domain import Resident
from edge.errors import KeyUnavailable
from edge.store.key_source import KeySource, keyring_of, open_credentials, use_source
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.site_key import CREDENTIAL, CREDENTIAL_NAMES, NEW_CREDENTIAL
from edge.store.system_credentials import OF_THIS_PROCESS, SystemCredentials
from tests.present import present

ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root opens systemd's credentials")


@pytest.fixture
def systemd_creds(tmp_path, monkeypatch):
    """A `systemd-creds` that "decrypts" by handing on, and refuses what begins with `broken`."""
    program = tmp_path / "bin" / "systemd-creds"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1" = decrypt ] && [ "$4" = - ] || { echo "not called so: $*" >&2; exit 2; }\n'
        'case "$(head -c 6 "$3")" in broken) echo "Failed to unseal secret using TPM2" >&2; exit 1 ;; esac\n'
        'cat "$3"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "credstore.encrypted"
    folder.mkdir()
    (folder / CREDENTIAL).write_bytes(bytes(range(32)))
    return folder


@ONLY_ROOT
def test_what_lies_in_the_store_is_opened(systemd_creds, store):
    credentials = SystemCredentials()
    credentials.open_as_root(CREDENTIAL_NAMES, store)
    assert credentials.opened == {CREDENTIAL: bytes(range(32))}
    assert credentials.troubles == []


@ONLY_ROOT
def test_what_cannot_be_opened_is_named_and_keeps_nothing_else_back(systemd_creds, store):
    (store / NEW_CREDENTIAL).write_bytes(b"broken")
    credentials = SystemCredentials()
    credentials.open_as_root(CREDENTIAL_NAMES, store)
    assert list(credentials.opened) == [CREDENTIAL]
    (trouble,) = credentials.troubles
    assert NEW_CREDENTIAL in trouble
    assert "Failed to unseal secret using TPM2" in trouble


@ONLY_ROOT
def test_an_empty_store_is_named(tmp_path):
    credentials = SystemCredentials()
    credentials.open_as_root(CREDENTIAL_NAMES, tmp_path)
    (trouble,) = credentials.troubles
    assert str(tmp_path) in trouble
    assert CREDENTIAL in trouble


@ONLY_ROOT
def test_without_systemds_program_the_trouble_says_so(store, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    credentials = SystemCredentials()
    credentials.open_as_root(CREDENTIAL_NAMES, store)
    assert credentials.opened == {}
    assert "systemd-creds" in credentials.troubles[0]


@pytest.fixture
def door(tmp_path):
    """A data folder whose keys are wrapped with the credential, made in the unit."""
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / CREDENTIAL).write_bytes(bytes(range(32)))
    (tmp_path / "data").mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "unit")}
    use_source(tmp_path / "data", KeySource("credential"), environ)
    keyring = keyring_of(tmp_path / "data", environ)
    with closing(ResidentStore(tmp_path / "data" / RESIDENTS_FILE, keyring)) as residents:
        residents.put(Resident("anna", "Anna"), [])
    return tmp_path / "data"


def name_of_anna(door):
    with closing(ResidentStore(door / RESIDENTS_FILE, keyring_of(door, {}))) as residents:
        return present(residents.get("anna")).name


@pytest.fixture
def _own_credentials(monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(OF_THIS_PROCESS, "opened", {})
    monkeypatch.setattr(OF_THIS_PROCESS, "troubles", [])


@ONLY_ROOT
@pytest.mark.usefixtures("_own_credentials")
def test_a_command_of_root_opens_the_doors_names(door, systemd_creds, store):
    with pytest.raises(KeyUnavailable, match="run this with sudo"):
        name_of_anna(door)
    open_credentials(door, None, store)
    assert name_of_anna(door) == "Anna"


@pytest.mark.usefixtures("_own_credentials")
def test_the_refusal_says_why_root_could_not(door):
    OF_THIS_PROCESS.troubles.append("/etc/credstore.encrypted/facegate.key: systemd-creds: no TPM")
    with pytest.raises(KeyUnavailable, match="no TPM"):
        name_of_anna(door)


def test_real_systemd_opens_what_real_systemd_sealed(tmp_path):
    sealed = tmp_path / CREDENTIAL
    command = ["systemd-creds", "encrypt", "--with-key=host", f"--name={CREDENTIAL}", "-", str(sealed)]
    try:
        subprocess.run(command, input=bytes(range(32)), check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"systemd-creds cannot seal here: {error}")
    credentials = SystemCredentials()
    credentials.open_as_root(CREDENTIAL_NAMES, tmp_path)
    assert credentials.opened == {CREDENTIAL: bytes(range(32))}
