"""What tests of the store share."""

from __future__ import annotations

import os

import pytest

from edge.store.site_key import CREDENTIAL


@pytest.fixture
def unit(tmp_path, monkeypatch):
    """The key of a TPM, as the unit is given it."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / CREDENTIAL).write_bytes(os.urandom(32))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder
