"""`facegate run` with rules that ask for a challenge, at a door whose display is off."""

from __future__ import annotations

import pytest

from tests.fakes.site import copy_photos, record_walk_ups
from tests.loopback import free_port
from tests.places import need_models
from tests.service.running import Door, is_kind

pytestmark = pytest.mark.models

CONFIG = """
[door]
id = "north"
[camera]
source = "{clip}"
loop = true
[lock]
driver = "dry-run"
[recognition]
liveness = "passive"
liveness_networks = ["faceplugin"]
weak_liveness = "accept"
[panel]
enabled = true
port = {port}
[access]
rules = "{rules}"
"""


def test_who_must_answer_is_not_let_in_where_nobody_can_ask(tmp_path):
    """The walk-up is good enough for the networks: without the rule it would be let in."""
    need_models("faceplugin")
    clip = record_walk_ups(tmp_path / "walk-up.avi", 1, 2)
    rules = tmp_path / "rules.toml"
    rules.write_text('[levels.resident]\nschedule = "always"\nliveness = "strict"\n')
    door = Door(tmp_path, CONFIG.format(clip=clip, rules=rules, port=free_port()))
    try:
        door.wait_for(is_kind("service.started"))
        pictures = copy_photos(tmp_path / "photos", "obama", "obama2")
        door.facegate("enrol", "add", "flat-1203", *map(str, pictures), "--consent", "signed-paper")

        denied = door.wait_for(lambda event: event.get("reason") == "pad_unavailable")

        assert denied["type"] == "access.denied"
        assert denied["data"]["liveness"]["screen"] == 0.0
        assert not any(event["type"] == "access.granted" for event in door.events())
    finally:
        _, log = door.stop()
    assert any(event["type"] == "health.liveness" for event in door.events())
    assert "liveness passive: faceplugin" in log
    assert "liveness is WEAK" in log
