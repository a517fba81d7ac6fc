"""Model files at run time: where they are looked for, and that only the right ones are opened."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from edge.errors import ModelCorrupt, ModelMissing
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked, models_directory, open_session

CONTENT = b"weights"
NET = replace(load_manifest().model("sface"), file="sub/net.onnx", sha256=sha256(CONTENT).hexdigest())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "net.onnx").write_bytes(CONTENT)
    return tmp_path


def test_the_right_file_is_found(directory: Path) -> None:
    assert checked(NET, directory) == directory / "sub" / "net.onnx"


@pytest.mark.parametrize("content", [b"", b"weightz", CONTENT + b"\0", CONTENT[:-1]])
def test_any_other_content_is_corrupt_and_says_how_to_repair(directory: Path, content: bytes) -> None:
    (directory / "sub" / "net.onnx").write_bytes(content)
    with pytest.raises(ModelCorrupt, match="facegate models install"):
        checked(NET, directory)


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="facegate models install"):
        checked(NET, tmp_path)


def test_a_directory_in_its_place_is_missing(tmp_path: Path) -> None:
    (tmp_path / "sub" / "net.onnx").mkdir(parents=True)
    with pytest.raises(ModelMissing, match="cannot be read"):
        checked(NET, tmp_path)


def test_a_file_that_is_no_graph_is_corrupt(directory: Path) -> None:
    with pytest.raises(ModelCorrupt, match="cannot be opened"):
        open_session(directory / "sub" / "net.onnx")


def test_the_library_below_notes_nothing_of_this_machine_and_tells_nobody(
    directory: Path, tmp_path: Path
) -> None:
    """onnxruntime 1.32 numbers the machine in the user's folder, and notes there how it is used."""
    home = tmp_path / "home"
    home.mkdir()
    code = "import sys; from pathlib import Path; from edge.faces.weights import open_session\n"
    code += "try: open_session(Path(sys.argv[1]))\nexcept Exception as error: print(type(error).__name__)"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, directory / "sub" / "net.onnx"],
        env={"HOME": str(home), "TMPDIR": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "ModelCorrupt\n", done.stderr
    assert list(home.rglob("*")) == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"FACEGATE_MODELS": "/a", "STATE_DIRECTORY": "/b", "XDG_DATA_HOME": "/c"}, "/a"),
        ({"STATE_DIRECTORY": "/b:/z", "XDG_DATA_HOME": "/c"}, "/b/models"),
        ({"XDG_DATA_HOME": "/c"}, "/c/facegate/models"),
        ({"HOME": "/home/guard"}, "/home/guard/.local/share/facegate/models"),
    ],
)
def test_the_directory_follows_the_environment(
    monkeypatch, environment: dict[str, str], expected: str
) -> None:
    for name in ("FACEGATE_MODELS", "STATE_DIRECTORY", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert models_directory() == Path(expected)
