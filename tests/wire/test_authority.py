"""A site's authority: made whole, or made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.errors import ConfigError
from edge.site.authority import Authority
from tests.revoked import is_revoked

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["ca.crt", "crl.pem", "ca.key"])
def test_an_authority_that_was_cut_short_is_made_anew(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "ca"
    (folder / name).mkdir(parents=True)  # nothing can be written there: it ends at this file
    with pytest.raises((OSError, ConfigError)):
        Authority.create(folder, "Hill House")
    (folder / name).rmdir()

    Authority.create(folder, "Hill House")

    made = Authority.open(folder)
    made.issue("gate", tmp_path / "door.crt", tmp_path / "door.key")
    assert not is_revoked(made, tmp_path / "door.crt")


def test_an_authority_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    made = Authority.create(tmp_path / "ca", "Hill House")
    with pytest.raises(ConfigError, match="has an authority already"):
        Authority.create(tmp_path / "ca", "Hill House")
    assert Authority.open(tmp_path / "ca").certificate_pem == made.certificate_pem
    assert (tmp_path / "ca" / "ca.key").stat().st_mode & 0o077 == 0
