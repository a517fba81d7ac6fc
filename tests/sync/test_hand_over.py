"""What root hands over at a site: its own files, and nothing that a link of another account's leads to."""

from __future__ import annotations

import os
import pwd
import stat
from typing import TYPE_CHECKING

import pytest

from edge.errors import ConfigError
from edge.site.hand_over import hand_over
from edge.site.integrations import IntegrationGrant, Integrations
from edge.site.provision import Site
from edge.site.signing import move_key

if TYPE_CHECKING:
    from pathlib import Path

SOMEBODY = (65_534, 65_534)
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands anything over")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file of root's that nobody else reads."""
    path = tmp_path / "secret"
    path.write_text("root's own")
    path.chmod(0o600)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of somebody else's with a file that root made there."""
    made = tmp_path / "theirs"
    made.mkdir()
    (made / "made").write_text("")
    os.chown(made, *SOMEBODY)
    return made


def owner(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid


def test_what_root_made_is_theirs_afterwards(folder):
    hand_over(folder, SOMEBODY)
    assert (owner(folder), owner(folder / "made")) == (SOMEBODY, SOMEBODY)


def test_only_what_is_named_is_given(folder):
    (folder / "other").write_text("")
    hand_over(folder, SOMEBODY, ["made", "gone"])
    assert (owner(folder / "made"), owner(folder / "other")) == (SOMEBODY, (0, 0))


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_in_their_folder_gives_them_nothing_of_roots(folder, secret, link):
    link(secret, folder / "x")
    hand_over(folder, SOMEBODY)
    hand_over(folder, SOMEBODY, ["x"])
    assert owner(secret) == (0, 0)


def test_a_pipe_in_their_folder_holds_nobody_up(folder):
    os.mkfifo(folder / "x")
    hand_over(folder, SOMEBODY)


def test_their_link_in_place_of_the_folder_is_refused_and_roots_own_is_followed(tmp_path, folder):
    link = tmp_path / "link"
    link.symlink_to(folder)
    os.chown(link, *SOMEBODY, follow_symlinks=False)
    with pytest.raises(ConfigError, match="link"):
        hand_over(link, SOMEBODY)
    assert owner(folder / "made") == (0, 0)
    os.chown(link, 0, 0, follow_symlinks=False)
    hand_over(link, SOMEBODY)
    assert owner(folder / "made") == SOMEBODY


def has_mosquitto() -> bool:
    try:
        return bool(pwd.getpwnam("mosquitto"))
    except KeyError:
        return False


@pytest.mark.skipif(not has_mosquitto(), reason="this machine has no broker's account")
def test_whoever_has_the_broker_gets_no_file_of_roots_when_a_door_is_revoked(tmp_path, secret):
    site = Site.create(tmp_path / "site", "Hill House", "localhost")
    site.add_door("front")
    broker = tmp_path / "site" / "broker"
    (broker / "x").symlink_to(secret)
    site.revoke_door("front")
    assert owner(secret) == (0, 0)
    assert owner(broker / "crl.pem")[0] == pwd.getpwnam("mosquitto").pw_uid
    assert stat.S_IMODE((broker / "ca.crt").stat().st_mode) == 0o644


def test_what_programs_may_goes_with_the_key_to_the_signers_own_account(tmp_path):
    """It stayed the hub's, so that the signer could not read it, and no program opened anything any more."""
    site = tmp_path / "site"
    Site.create(site, "Hill House", "localhost").add_door("front")
    Integrations(site).add(IntegrationGrant("house", ("front",), ("unlock",)))
    place = move_key(site, "nobody", tmp_path / "home")
    nobody = pwd.getpwnam("nobody")
    found = [place, *place.rglob("*")]
    assert place / "integrations" / "house.json" in found
    assert {owner(path) for path in found} == {(nobody.pw_uid, nobody.pw_gid)}


def test_whoever_has_the_signer_gets_no_folder_of_roots_with_an_integration(tmp_path):
    site = tmp_path / "site"
    Site.create(site, "Hill House", "localhost").add_door("front")
    os.chown(site / "signer", *SOMEBODY)
    cellar = tmp_path / "cellar"
    cellar.mkdir()
    (site / "signer" / "integrations").symlink_to(cellar)
    os.chown(site / "signer" / "integrations", *SOMEBODY, follow_symlinks=False)
    with pytest.raises(ConfigError):
        Integrations(site).add(IntegrationGrant("house", ("front",), ("unlock",)))
    assert owner(cellar) == (0, 0)
    assert list(cellar.iterdir()) == []
