"""Power cuts at every step of an operation, under strict rules: a name is durable only with its folder.

    python -m tests.io.power_cut --images 1000 [OPERATION...]

An operation runs once under the preload library, which records each change. From that record the folder
is built as a card could hold it after a cut, three ways at each step: nothing of what was not synced
arrived, some of it (any of the blocks, any beginning of the changes of names), all of it. Each image is
opened with the door's own code, as at a start, and judged by what was acknowledged before the cut.
"""

from __future__ import annotations

import argparse
import logging
import random
import struct
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.io.base import make_base
from tests.io.card import Card
from tests.io.operations import OPERATIONS, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = struct.Struct("<cBHIq")
"""Of one record: what, padding, length of the name, length of the data, offset."""

ACKNOWLEDGED = "ACK"
"""Where an operation writes what it has promised; it is no part of the card."""

WAYS = ("none", "some", "all")


@dataclass(frozen=True, slots=True)
class Step:
    """One change: C(reate), W(rite), T(runcate), S(ync), R(ename), L(ink), U(nlink)."""

    what: str
    name: str
    offset: int
    body: bytes


def steps_of(record: Path) -> Iterator[Step]:
    """Give the recorded changes in order."""
    data, at = record.read_bytes(), 0
    while at + HEAD.size <= len(data):
        what, _, name_length, length, offset = HEAD.unpack_from(data, at)
        at += HEAD.size
        name = data[at : at + name_length].decode()
        at += name_length
        body = data[at : at + length] if what in b"WRL" else b""
        at += len(body)
        yield Step(what.decode(), name, offset, body)


@dataclass(slots=True)
class Inode:
    """A file's content: what is durable, and what was written since the last sync."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Step] = field(default_factory=list)


class StrictCard:
    """Files of which nothing is durable that was not synced, names only with their folder."""

    def __init__(self, base: Path) -> None:
        files = [path for path in base.rglob("*") if path.is_file()]
        self._now = {path.relative_to(base).as_posix(): Inode(bytearray(path.read_bytes())) for path in files}
        self._durable = dict(self._now)
        self._names: list[tuple[str, str, Inode | None]] = []
        self.acknowledged = b""

    def play(self, step: Step) -> None:
        """Take one change."""
        if step.name == ACKNOWLEDGED:
            self.acknowledged += step.body
            return
        match step.what:
            case "C":
                self._now[step.name] = Inode()
                self._names.append(("is", step.name, self._now[step.name]))
            case "W" | "T" if step.name in self._now:
                self._now[step.name].pending.append(step)
            case "S":
                self._sync(step.name)
            case "R" | "L" if step.name in self._now:
                self._rename(step.name, step.body.decode(), is_moved=step.what == "R")
            case "U":
                self._now.pop(step.name, None)
                self._names.append(("gone", step.name, None))

    def image(self, where: Path, way: str, rng: random.Random) -> None:
        """Write the folder as it may be found after a cut now."""
        count = {"none": 0, "some": rng.randint(0, len(self._names)), "all": len(self._names)}[way]
        for name, inode in self._after(count).items():
            if name.endswith("-shm"):
                continue  # mapped, and made anew at opening
            content = bytearray(inode.durable)
            for step in inode.pending:
                if way == "all" or (way == "some" and rng.random() < 0.6):
                    _apply(content, step)
            path = where / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _rename(self, name: str, new: str, *, is_moved: bool) -> None:
        self._now[new] = self._now[name]
        self._names.append(("is", new, self._now[new]))
        if is_moved:
            del self._now[name]
            self._names.append(("gone", name, None))

    def _sync(self, name: str) -> None:
        inode = self._now.get(name)
        if inode is None:  # a folder
            self._durable, self._names = self._after(len(self._names)), []
            return
        for step in inode.pending:
            _apply(inode.durable, step)
        inode.pending = []

    def _after(self, count: int) -> dict[str, Inode]:
        names = dict(self._durable)
        for what, name, inode in self._names[:count]:
            if inode is not None and what == "is":
                names[name] = inode
            else:
                names.pop(name, None)
        return names


def _apply(content: bytearray, step: Step) -> None:
    if len(content) < step.offset:
        content.extend(bytes(step.offset - len(content)))
    if step.what == "T":
        del content[step.offset :]
    else:
        content[step.offset : step.offset + len(step.body)] = step.body


def cut(name: str, images: int, seed: int, place: Path) -> Counter[str]:
    """Run one operation and judge about so many images of it; return the answers and how often."""
    base, data, record = place / "base", place / "data", place / "record"
    make_base(data)
    OPERATIONS[name].prepare(data)
    _copy(data, base)
    card = Card(data, place / "control")
    card.run("tests.io.operations", name, FAULTY_RECORD=str(record))
    steps = list(steps_of(record))
    rng, answers = random.Random(seed), Counter[str]()
    count = min(len(steps) + 1, max(1, images // len(WAYS)))
    points = set(rng.sample(range(len(steps) + 1), count))
    strict = StrictCard(base)
    for number in range(len(steps) + 1):
        if number in points:
            for way in WAYS:
                with tempfile.TemporaryDirectory(dir=place) as image:
                    strict.image(Path(image), way, rng)
                    answers[judge(name, Path(image), strict.acknowledged.decode())] += 1
        if number < len(steps):
            strict.play(steps[number])
    return answers


def _copy(data: Path, base: Path) -> None:
    base.mkdir()
    for path in data.iterdir():
        (base / path.name).write_bytes(path.read_bytes())


def main() -> None:
    """Cut every operation, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000, help="of all operations together")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("operation", nargs="*", default=sorted(OPERATIONS))
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    is_whole = True
    for name in arguments.operation:
        with tempfile.TemporaryDirectory(prefix="facegate-cut-") as place:
            answers = cut(name, arguments.images // len(arguments.operation), arguments.seed, Path(place))
        is_whole = is_whole and set(answers) == {"ok"}
        sys.stdout.write(f"{name}: {sum(answers.values())} images, seed {arguments.seed}: {dict(answers)}\n")
        sys.stdout.flush()
    sys.exit(not is_whole)


if __name__ == "__main__":
    main()
