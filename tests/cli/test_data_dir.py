"""What root does in the service's folder must stay readable for the service."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.cli.credentials import card
from edge.cli.data_dir import default_data_dir, hand_over

SOMEBODY = 4711


def owners(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for somebody else")
def test_what_root_adds_to_the_service_s_folder_belongs_to_the_service(tmp_path):
    os.chown(tmp_path, SOMEBODY, SOMEBODY)
    done = CliRunner().invoke(card, ["add", "w26:17:4711", "anna", "--data", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "credentials.db" in owners(tmp_path)
    assert set(owners(tmp_path).values()) == {SOMEBODY}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for somebody else")
def test_links_out_of_the_folder_are_left_alone(tmp_path):
    folder, outside = tmp_path / "data", tmp_path / "shadow"
    folder.mkdir()
    outside.write_text("root's")
    (folder / "soft").symlink_to(outside)
    (folder / "hard").hardlink_to(outside)
    (folder / "own").write_text("the service's")
    hand_over(folder, (SOMEBODY, SOMEBODY))
    assert owners(folder) == {".": SOMEBODY, "own": SOMEBODY, "soft": 0, "hard": 0}
    assert outside.stat().st_uid == 0


def test_what_belongs_to_others_already_stays_theirs(tmp_path):
    (tmp_path / "journal.db").touch()
    hand_over(tmp_path, (SOMEBODY, SOMEBODY), made_by=os.getuid() + 1)
    assert set(owners(tmp_path).values()) == {os.getuid()}


def test_the_folder_is_systemd_s_then_the_user_s():
    assert default_data_dir({"STATE_DIRECTORY": "/var/lib/facegate:/x"}) == Path("/var/lib/facegate")
    assert default_data_dir({"XDG_DATA_HOME": "/data"}) == Path("/data/facegate")
