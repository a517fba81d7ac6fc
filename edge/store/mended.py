"""What was found damaged in this process and mended, until somebody can tell it."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_NEWS = 100

_news: deque[Mended] = deque(maxlen=MOST_NEWS)


@dataclass(frozen=True, slots=True)
class Mended:
    """A damaged file and what came of it. `kept` is its name now; `holes` are places nothing came of."""

    file: Path
    why: str
    kept: str
    rows: int
    holes: int

    def told(self) -> dict[str, Any]:
        """Return it as data of an event."""
        data = {"file": self.file.name, "problem": self.why[:300], "kept": self.kept}
        return {**data, "rows": self.rows, "holes": self.holes}


def note(done: Mended) -> None:
    """Keep what was mended for `news`."""
    _news.append(done)


def news() -> Iterator[Mended]:
    """Give what was mended in this process since the last call, so that it can be reported."""
    while _news:
        with suppress(IndexError):
            yield _news.popleft()
