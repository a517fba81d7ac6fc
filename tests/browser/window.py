"""One Chromium for tests that follow each other; none stays open, with its memory, beside other tests."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.browser.chromium import as_new, chromium

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from selenium.webdriver import Chrome


class SharedWindow:
    """A process's window, opened for the first test that wants it and for the first after an `end`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._window: Chrome | None = None

    def given(self, folder: Callable[[], Path]) -> Chrome:
        """Return it as if it had just been opened, with its profile in a folder."""
        if self._window is None:
            self._window = self._stack.enter_context(chromium(folder()))
        as_new(self._window)
        return self._window

    def leave(self) -> None:
        """Have no page stay open that would go on asking."""
        if self._window is not None and self._window.current_url != "about:blank":
            self._window.get("about:blank")

    def end(self) -> None:
        """Close it. Safe to call twice."""
        self._window = None
        self._stack.close()


WINDOW = SharedWindow()
