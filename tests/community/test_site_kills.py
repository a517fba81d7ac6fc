"""A few of the kills of `python -m tests.community.site_kills`: nothing is lost, nothing is there twice."""

from __future__ import annotations

import random

import pytest

from tests.community.site_kills import trial


@pytest.mark.broker
@pytest.mark.slow
def test_page_console_and_hub_are_killed_while_people_use_them(tmp_path):
    """One kill of each, before people who take a breath; docs/community.md tells of the long run."""
    assert trial(tmp_path / "site", 3, random.Random(1), pause=0.3) == []
