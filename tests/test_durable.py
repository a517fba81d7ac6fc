"""Small files: written whole or not at all, and a failure tells which file it is about."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from edge.durable import require_replaceable, write_first, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_file_that_cannot_be_written_is_named_and_fails_alike_each_time(tmp_path: Path) -> None:
    """Named after a draft, each of a failing card's refusals was a new one, and an event each second."""
    path = tmp_path / "configuration.json"
    path.mkdir()  # the draft cannot take the place of a folder
    told = []
    for _ in range(2):
        with pytest.raises(IsADirectoryError) as failed:
            write_whole(path, b"new")
        told.append(str(failed.value))
    assert str(path) in told[0]
    assert told[0] == told[1]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_whole, write_first])
def test_a_folder_that_is_gone_is_told_by_the_file_that_was_to_be_there(
    tmp_path: Path, write: Callable[[Path, bytes], object]
) -> None:
    path = tmp_path / "gone" / "mode.json"
    with pytest.raises(FileNotFoundError) as failed:
        write(path, b"new")
    assert failed.value.filename == str(path)


def test_no_file_that_somebody_names_takes_the_place_of_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no file"):
        require_replaceable(pipe)


def test_a_pipe_in_the_place_of_a_file_of_ours_is_no_reason_to_keep_nothing(tmp_path: Path) -> None:
    pipe = tmp_path / "mode.json"
    os.mkfifo(pipe)
    write_whole(pipe, b"x")
    assert pipe.read_bytes() == b"x"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_no_file_takes_the_place_of_a_device(tmp_path: Path) -> None:
    """As root `facegate backup /dev/stdout` would otherwise leave a machine without that device."""
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("no device can be made here")
    with pytest.raises(OSError, match="no file"):
        write_whole(device, b"x")
    assert device.is_char_device()
    assert [path.name for path in tmp_path.iterdir()] == ["null"]
