"""One wrong bit in the log of a database: set right before SQLite throws away what follows it.

After a power cut the log (WAL) holds what was committed last, and each of its frames is checked by a sum that
goes on from the frame before. SQLite ends at the first sum that is wrong, as after a frame that was cut: one
wrong bit in the log's header would silently take back everything in it. The sums tell which bit it was, since
each one that turns changes them by a difference of its own. Only high bits of different words may look
alike (the sums keep 32 bits): then the log ends there, as for SQLite, and that is told.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import threading
from typing import TYPE_CHECKING

import numpy as np

from edge.store.memory_copy import kept_descriptor
from edge.store.mended import Mended, note

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Words = NDArray[np.uint32]
    Sums = tuple[int, int]
    Repair = tuple[int, bytes]

LOG = logging.getLogger(__name__)

HEADER_BYTES, FRAME_HEAD_BYTES, SUMMED_HEAD_BYTES, SUMMED_OF_FRAME = 32, 24, 24, 8
SALTS, SUMS_OF_HEADER, SUMS_OF_FRAME = slice(16, 24), slice(24, 32), slice(16, 24)
SALTS_OF_FRAME = slice(8, 16)
MAGIC = 0x377F0682
"""The last bit says in which order the sums take the bytes of a word: 0 little, 1 big end first."""
VERSION = 3007000
"""https://www.sqlite.org/fileformat2.html#walformat"""
IN_USE = (128, 1)
"""Byte of the shared memory that every process locks that has the database open, and how many."""
MASK = 0xFFFFFFFF

_opened: set[tuple[int, int]] = set()
_looking: dict[tuple[int, int], threading.Lock] = {}
"""One for each file: where the card hangs at one, the others are opened all the same."""


def repair_log(path: Path) -> None:
    """Set single wrong bits in the log of the database at `path` right, and note what was wrong.

    Before this process first opens it, and only while no other has it open: SQLite is to read it next. What
    is no single bit stays as it is: a commit that a power cut tore ends the log. Raises OSError.
    """
    log = path.with_name(f"{path.name}-wal")
    found = path.stat()
    key = found.st_dev, found.st_ino
    with _looking.setdefault(key, threading.Lock()):
        if key in _opened:
            return
        if log.exists() and not is_in_use(path.with_name(f"{path.name}-shm")):
            damaged = log.read_bytes()
            right, told, is_lost = repaired_log(damaged)
            _write(log, damaged, right)
            if told:
                LOG.critical("%s: %s", log, "; ".join(told))
                note(Mended(log, "; ".join(told), "", len(told) - is_lost, int(is_lost)))
        _opened.add(key)


def repaired_log(damaged: bytes) -> tuple[bytes, list[str], bool]:
    """Return a log without its single wrong bits, what was wrong, and whether something of it is lost."""
    log, told = bytearray(damaged), []
    if len(log) <= HEADER_BYTES:
        return damaged, [], False
    if not _is_header(log):
        bits = [bit for bit in range(HEADER_BYTES * 8) if _begins_well(_turned(log, bit))]
        if len(bits) != 1:
            return damaged, [], False
        log = _turned(log, bits[0])
        told.append(f"bit {bits[0]} of the header was wrong")
    frames = _Frames(log)
    sums = _sums_at(log, SUMS_OF_HEADER)
    for number in range(frames.count):
        if not frames.is_right(number, sums):
            fitting = frames.repairs(number, sums)
            is_damage = bool(fitting)
            if len(fitting) > 1:  # the last word and its sum are told apart by what follows
                fitting = [one for one in fitting if frames.with_repair(one).goes_on(number)]
            if len(fitting) != 1:
                lost = (
                    [f"a bit of frame {number + 1} is wrong, and nobody can tell which"] if is_damage else []
                )
                return bytes(frames.log), told + lost, is_damage
            frames = frames.with_repair(fitting[0])
            told.append(f"a bit of frame {number + 1} was wrong")
        sums = frames.sums(number)
    return bytes(frames.log), told, False


class _Frames:
    """The frames of a log with a whole header. A repair is (place, the bytes that belong there)."""

    def __init__(self, log: bytearray, frame_sum: _FrameSum | None = None) -> None:
        self.log = log
        self._order = ">u4" if log[3] & 1 else "<u4"
        self._bytes = FRAME_HEAD_BYTES + int.from_bytes(log[8:12], "big")
        self.count = (len(log) - HEADER_BYTES) // self._bytes
        self._sum = frame_sum or _FrameSum((SUMMED_OF_FRAME + self._bytes - FRAME_HEAD_BYTES) // 8)

    def with_repair(self, repair: Repair) -> _Frames:
        """Return the frames of the log in which this was done."""
        at, right = repair
        return _Frames(self.log[:at] + right + self.log[at + len(right) :], self._sum)

    def sums(self, number: int) -> Sums:
        """Return the sums that stand in a frame."""
        return _sums_at(self._frame(number), SUMS_OF_FRAME)

    def is_right(self, number: int, before: Sums) -> bool:
        """Return whether a frame is of this round of the log, and its sums go on from those before."""
        is_of_it = self._frame(number)[SALTS_OF_FRAME] == self.log[SALTS]
        return is_of_it and self._sum.of(self._words(number), before) == self.sums(number)

    def goes_on(self, number: int) -> bool:
        """Return whether the frame after this one is right."""
        return number + 1 < self.count and self.is_right(number + 1, self.sums(number))

    def repairs(self, number: int, before: Sums) -> list[Repair]:
        """Return every single bit of a frame that, turned, makes it right."""
        frame, words, at = self._frame(number), self._words(number), HEADER_BYTES + number * self._bytes
        given, sums = self.sums(number), self._sum.of(words, before)
        off = _bits_between(frame[SALTS_OF_FRAME], self.log[SALTS])
        # The sums leave the salts out. Salts of another round end the log, unless one bit alone is off.
        if off:
            is_salt = off == 1 and given == sums
            return [(at + SALTS_OF_FRAME.start, bytes(self.log[SALTS]))] if is_salt else []
        right_sums = struct.pack(">II", *sums)
        found = []
        if _bits_between(frame[SUMS_OF_FRAME], right_sums) == 1:
            found.append((at + SUMS_OF_FRAME.start, right_sums))
        difference = (given[0] - sums[0]) & MASK, (given[1] - sums[1]) & MASK
        for word, bit in self._sum.wrong_bits(words, difference):
            right = (words[word] ^ np.uint32(1 << bit)).astype(self._order).tobytes()
            place = word * 4 if word * 4 < SUMMED_OF_FRAME else FRAME_HEAD_BYTES + word * 4 - SUMMED_OF_FRAME
            found.append((at + place, right))
        return found

    def _frame(self, number: int) -> bytearray:
        at = HEADER_BYTES + number * self._bytes
        return self.log[at : at + self._bytes]

    def _words(self, number: int) -> Words:
        frame = self._frame(number)
        return np.frombuffer(bytes(frame[:SUMMED_OF_FRAME] + frame[FRAME_HEAD_BYTES:]), self._order)


class _FrameSum:
    """The two sums over so many pairs of words, as SQLite makes them, all at once."""

    def __init__(self, pairs: int) -> None:
        # To each sum in turn SQLite adds the next word and the other sum. So the sums are linear in the words
        # (modulo 2**32): a word adds itself times a factor that its place alone decides. From the factors of
        # the last pair those of each pair before follow as the sums would over words of zero.
        first, second = np.empty((2, pairs), np.uint32), np.empty((2, pairs), np.uint32)
        one, two = (1, 1), (0, 1)
        for n in range(pairs - 1, -1, -1):
            first[:, n], second[:, n] = one, two
            one, two = _next(one), _next(two)
        self._steps = first, second
        """What a pair of words adds to the two sums at the end, by its first word and by its second."""
        self._from_first, self._from_second = _grown((1, 0), pairs), _grown((0, 1), pairs)

    def of(self, words: Words, before: Sums) -> Sums:
        """Return the sums that go on from those before."""
        # Products of 32-bit words wrap as SQLite's sums do.
        x, y = words[0::2].astype(np.uint32), words[1::2].astype(np.uint32)
        added = [
            int((a * x).sum(dtype=np.uint64) + (b * y).sum(dtype=np.uint64))
            for a, b in zip(*self._steps, strict=True)
        ]
        one, two = before
        carried = [one * a + two * b for a, b in zip(self._from_first, self._from_second, strict=True)]
        return (added[0] + carried[0]) & MASK, (added[1] + carried[1]) & MASK

    def wrong_bits(self, words: Words, difference: Sums) -> list[tuple[int, int]]:
        """Return each (word, bit) that, turned, changes the sums by this much."""
        found = []
        for bit in range(32):
            for half, step in enumerate(self._steps):
                own = words[half::2].astype(np.uint32)
                # To turn a bit that is set takes its worth away.
                is_set = (own >> np.uint32(bit)) & np.uint32(1)
                by = np.where(is_set, np.uint32(-(1 << bit) & MASK), np.uint32(1 << bit))
                fits = (step[0] * by == np.uint32(difference[0])) & (step[1] * by == np.uint32(difference[1]))
                found += [(2 * int(pair) + half, bit) for pair in np.flatnonzero(fits)]
        return found


def _next(sums: Sums) -> Sums:
    one = (sums[0] + sums[1]) & MASK
    return one, (sums[1] + one) & MASK


def _grown(sums: Sums, pairs: int) -> Sums:
    for _ in range(pairs):
        sums = _next(sums)
    return sums


def _is_header(log: bytearray) -> bool:
    """Return whether a log begins as SQLite writes it."""
    magic, version, page = struct.unpack(">III", log[:12])
    if magic & ~1 != MAGIC or version != VERSION or not 512 <= page <= 65536 or page & (page - 1):
        return False
    order = ">" if magic & 1 else "<"
    sums = (0, 0)
    words = struct.unpack(f"{order}6I", log[:SUMMED_HEAD_BYTES])
    for x, y in zip(words[0::2], words[1::2], strict=True):
        one = (sums[0] + x + sums[1]) & MASK
        sums = one, (sums[1] + y + one) & MASK
    return sums == _sums_at(log, SUMS_OF_HEADER)


def _sums_at(of: bytearray, place: slice) -> Sums:
    one, two = struct.unpack(">II", of[place])
    return one, two


def _begins_well(log: bytearray) -> bool:
    """Return whether a log has a whole header, and a first frame that goes on from it."""
    if not _is_header(log):
        return False
    frames = _Frames(log)
    return frames.count > 0 and frames.is_right(0, _sums_at(log, SUMS_OF_HEADER))


def _turned(log: bytearray, bit: int) -> bytearray:
    turned = bytearray(log)
    turned[bit // 8] ^= 1 << bit % 8
    return turned


def _bits_between(one: bytes | bytearray, two: bytes | bytearray) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(two, "big")).bit_count()


def is_in_use(shared: Path) -> bool:
    """Return whether another process has the database open."""
    if not shared.exists():
        return False
    start, count = IN_USE
    # struct flock of Linux. The kernel answers with a lock of another process only, never with our own.
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, count, 0)
    with kept_descriptor(shared) as descriptor:
        answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, asked)
    return bool(struct.unpack("hhqqi4x", answer)[0] != fcntl.F_UNLCK)


def _write(log: Path, damaged: bytes, right: bytes) -> None:
    if damaged == right:
        return
    # In its place, and the wrong bytes alone: whatever cuts this short leaves fewer of them.
    descriptor = os.open(log, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for at, (was, now) in enumerate(zip(damaged, right, strict=True)):
            if was != now:
                os.pwrite(descriptor, bytes((now,)), at)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
