"""What other packages bring for pydantic does not look into a door's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.processes import in_a_process

if TYPE_CHECKING:
    from pathlib import Path

WATCHER = """
print("watching")

class Watcher:
    def new_schema_validator(self, *_words, **_more):
        return None, None, None

watcher = Watcher()
"""


def test_no_other_package_watches_the_settings(tmp_path: Path) -> None:
    (tmp_path / "watcher.py").write_text(WATCHER)
    described = tmp_path / "watcher-1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: watcher\nVersion: 1\n")
    (described / "entry_points.txt").write_text("[pydantic]\nwatcher = watcher:watcher\n")
    script = """
        import os, sys
        os.environ.pop("PYDANTIC_DISABLE_PLUGINS", None)
        sys.path.insert(0, sys.argv[1])
        {}
        import edge.config.settings
    """
    assert "watching" in in_a_process(script.format("pass"), str(tmp_path))  # they would
    assert "watching" not in in_a_process(script.format("import edge.cli"), str(tmp_path))
