"""The console, which makes the community, is started after the hub: the hub takes it up by itself."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edge.runtime.clock import SystemClock
from edge.site.provision import Site
from facegate_hub.community.database import open_book
from facegate_hub.community.staff_store import open_staff
from facegate_hub.service import community_came, open_community
from tests.loopback import free_port
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    Site.create(tmp_path / "site", "Hill House", "127.0.0.1", free_port()).add_door("front")
    return tmp_path / "site"


def make_community(site: Path) -> None:
    """Do what the console's first start does."""
    staff = open_staff(site, open_book(site, None, SystemClock()))
    staff.engine.dispose()
    staff.book.engine.dispose()


def test_a_hub_that_began_without_the_community_begins_anew_when_it_is_there(site, tmp_path):
    """Notices, passes, rings and faults waited for somebody to restart the hub, and nothing said so."""
    words = [sys.executable, "-m", "edge.cli", "hub", "--site", str(site), "run"]
    said = tmp_path / "said"
    with said.open("wb") as file, subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT) as hub:
        try:
            wait_until(lambda: said.read_text().count("hub running") == 1)
            make_community(site)
            wait_until(lambda: said.read_text().count("hub running") == 2)
        finally:
            hub.send_signal(signal.SIGTERM)
            hub.wait(PATIENCE)
    assert hub.returncode == 0
    assert said.read_text().count("the community is there") == 1


def test_a_community_that_cannot_be_opened_yet_has_not_come(site):
    assert (open_community(site), community_came(site)) == (None, False)
    make_community(site)
    key = (site / "community" / "community.key").read_bytes()
    (site / "community" / "community.key").write_bytes(b"half")
    assert (open_community(site), community_came(site)) == (None, False)
    (site / "community" / "community.key").write_bytes(key)
    assert community_came(site)
