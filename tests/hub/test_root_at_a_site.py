"""Root works at a site that belongs to the hub's account: what it makes there, that account can work with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.durable import like_folder, make_folder
from edge.runtime.clock import SystemClock
from edge.site.provision import Site
from facegate_hub.community.database import open_book
from facegate_hub.community.staff_store import open_staff

if TYPE_CHECKING:
    from pathlib import Path

HUB, SIGNER = 65_534, 65_533
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for somebody else")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a site as its services have it before their first start: two accounts, and no database."""
    site = tmp_path / "site"
    Site.create(site, "Hill House", "localhost").add_door("front")
    for path in (site, *site.rglob("*")):
        os.chown(path, HUB, HUB)
    for path in (site / "signer", *(site / "signer").rglob("*")):
        os.chown(path, SIGNER, SIGNER)
    return site


def run(site: Path, *words: str) -> str:
    result = CliRunner().invoke(app, ["hub", "--site", str(site), *words])
    assert result.exit_code == 0, result.output
    return result.output


def owners(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_uid for path in (folder, *folder.rglob("*"))}


def test_what_root_makes_at_a_site_is_of_the_accounts_that_work_with_it(site, tmp_path):
    """Root is an owner to the signer, and may come first; hub and signer then never started."""
    people, flats = tmp_path / "people.csv", tmp_path / "flats.csv"
    people.write_text("id,name\n101,Anna\n")
    flats.write_text("3-1203\n")
    run(site, "roster", "import", str(people))
    run(site, "community", "flats", str(flats))
    run(site, "principal", "add", "Anna")
    open_staff(site, open_book(site, None, SystemClock())).engine.dispose()
    assert (site / "hub" / "hub.db").exists()
    assert (site / "signer" / "signer.db").stat().st_mode & 0o777 == 0o600
    assert set(owners(site / "signer").values()) == {SIGNER}
    for folder in ("hub", "community", "staff"):
        assert set(owners(site / folder).values()) == {HUB}, owners(site / folder)


def test_a_link_or_a_second_name_gives_nobody_what_is_roots(tmp_path):
    secret, folder = tmp_path / "secret", tmp_path / "theirs"
    secret.write_text("")
    folder.mkdir()
    (folder / "link").symlink_to(secret)
    (folder / "name").hardlink_to(secret)
    (folder / "made").write_text("")
    os.chown(folder, HUB, HUB)
    for name in ("link", "name", "made"):
        like_folder(folder / name)
    assert (secret.stat().st_uid, (folder / "made").stat().st_uid) == (0, HUB)


def test_a_folder_of_roots_that_somebody_moved_there_is_not_given_away(tmp_path):
    os.chown(tmp_path, HUB, HUB)
    moved, made = tmp_path / "moved", tmp_path / "made"
    moved.mkdir(mode=0o700)
    for folder in (moved, made):
        make_folder(folder)
    assert (moved.stat().st_uid, made.stat().st_uid) == (0, HUB)
