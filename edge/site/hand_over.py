"""Gives what root made to the account that works with it; no link that lies there leads root elsewhere.

The folder may be that account's own: whoever has taken over a broker could put a link beside its files, and
the next command of root's would give them what that leads to.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

HERE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""What has this name itself, no link's target; a pipe of that name holds nobody up."""


def hand_over(folder: Path, owner: tuple[int, int], names: Iterable[str] | None = None) -> None:
    """Give files of these names in a folder to an account (None: all, and the folder); as root, else nothing.

    `owner` is (user, group), -1 leaves it as it is. Links, and files that have a second name, stay as they
    are. Raises `ConfigError` where the folder is a link that root did not make.
    """
    if os.geteuid() != 0:
        return
    with _opened(folder) as place:
        # `listdir` and not `Path.iterdir`: of the folder that was opened, whatever has its name by now.
        for name in os.listdir(place) if names is None else names:  # noqa: PTH208
            _give(name, place, owner)
        if names is None:
            os.fchown(place, *owner)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    # A link that root made is the administrator's wish. Nobody else can make one that is root's.
    place = folder.resolve() if folder.is_symlink() and folder.lstat().st_uid == 0 else folder
    try:
        descriptor = os.open(place, HERE | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(
            f"{folder}: no folder of its own ({error.strerror}); root works in no other"
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _give(name: str, place: int, owner: tuple[int, int]) -> None:
    try:
        descriptor = os.open(name, HERE, dir_fd=place)
    except OSError:  # a link, or gone meanwhile
        return
    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            os.fchown(descriptor, *owner)
    finally:
        os.close(descriptor)
