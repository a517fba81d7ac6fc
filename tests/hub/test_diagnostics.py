"""What a door said of itself when it was asked, after the hub's clock was set back."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.commands import CommandType
from facegate_hub.diagnostics import answer_to, last_answer
from facegate_hub.tables import REQUESTS, open_tables

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Engine


def answered(engine: Engine, request: str, seconds: float, said: str) -> None:
    row = {
        "id": request,
        "device": "front",
        "type": CommandType.DIAGNOSTICS,
        "args": "{}",
        "by": "sam",
        "asked_at": time.time() + seconds,
        "status": "done",
        "data": json.dumps({"said": said}),
    }
    with engine.begin() as connection:
        connection.execute(sa.insert(REQUESTS), row)


def test_an_answer_from_before_the_clock_was_set_back_is_not_shown_as_the_new_one(tmp_path: Path) -> None:
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    answered(engine, "ahead", 86_400.0, "old")
    assert last_answer(engine, "front")[1] == {"said": "old"}, "there is no other"
    answered(engine, "now", -5.0, "new")
    assert answer_to(engine, "now")[1] == {"said": "new"}
    assert last_answer(engine, "front")[1] == {"said": "new"}
    with pytest.raises(SyncError):
        last_answer(engine, "back")
    engine.dispose()
