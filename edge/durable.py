"""Small private files, written completely or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Give `path` this content (mode 0600), durably: after a power cut it is the old or the new one."""
    with whole_file(path) as file:
        file.write(content)


def write_first(path: Path, content: bytes) -> bool:
    """Do the same unless there is a file already; return whether this call made it, whoever else tries."""
    with _draft(path) as (draft, file):
        file.write(content)
        _sync(file)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        finally:
            sync_folder(path.parent)  # also a name that somebody else has just made
    return True


def require_replaceable(path: Path) -> None:
    """Raise OSError where a device, a pipe or a socket has this name: a file that somebody names."""
    mode = _mode_of(path)
    if mode and not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):  # folders: by rename
        raise OSError(errno.EEXIST, "a device, pipe or socket has this name, and no file", str(path))


def _mode_of(path: Path) -> int:
    """Return what kind of file has this name, 0 for none."""
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return 0


@contextmanager
def whole_file(path: Path) -> Iterator[io.BufferedWriter]:
    """Give a file to write (mode 0600) that becomes `path`, durably, when the block ends without error.

    It takes the place of a link of that name, not of what that leads to, and never that of a device: root
    would have a file in place of /dev/stdout. A pipe in a folder of ours is no reason to keep nothing.
    """
    mode = _mode_of(path)
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        require_replaceable(path)
    with _draft(path) as (draft, file):
        yield file
        _sync(file)
        draft.replace(path)
    sync_folder(path.parent)


@contextmanager
def _draft(path: Path) -> Iterator[tuple[Path, io.BufferedWriter]]:
    """Give a new file beside `path` and its name; the name is gone afterwards."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield draft, file
    except OSError as error:
        # Drawn anew for each attempt, the draft's name would make every failure another one, and tells nobody
        # which file is meant.
        if str(error.filename) == str(draft):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        draft.unlink(missing_ok=True)


def _sync(file: io.BufferedWriter) -> None:
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def like_folder(path: Path) -> None:
    """Let what root has just made belong to the account whose folder it lies in; others: nothing happens.

    The service of that account could not write to it else. A link, a file with a second name and what is not
    root's stay as they are. Not for a database that is in use: closing it here would end its locks.
    """
    if os.geteuid() != 0:
        return
    here = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            descriptor = os.open(path.name, here, dir_fd=folder)
        except OSError:  # a link
            return
        try:
            found = os.fstat(descriptor)
            is_plain = stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)
            if found.st_uid == 0 and is_plain:
                os.fchown(descriptor, os.fstat(folder).st_uid, -1)
        finally:
            os.close(descriptor)
    finally:
        os.close(folder)


def make_folder(folder: Path) -> None:
    """Make a folder for one account alone, unless there is one; root's is of whom the one around it is."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        # Left as it is, even if it is root's: whoever has the folder around it may have put it there.
        if not folder.is_dir():
            raise
    else:
        like_folder(folder)


def let_group(path: Path, rights: int) -> None:
    """Give the group these rights (such as 0o060) to what lies in a folder that accounts share.

    Such a folder has the setgid bit: what is made in it gets its group (`facegate hub share`). In any other
    this does nothing, and what belongs to another account is left as it is: that account has done so.
    """
    if not path.parent.stat().st_mode & stat.S_ISGID:
        return
    found = path.stat(follow_symlinks=False)
    if found.st_uid == os.geteuid() and found.st_mode & rights != rights:
        path.chmod(stat.S_IMODE(found.st_mode) | rights)
