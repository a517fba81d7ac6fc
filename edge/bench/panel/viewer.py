"""One browser at the panel, without a browser: the same requests at the same pace."""

from __future__ import annotations

import http.client
import re
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "only for this benchmark"  # noqa: S105 - its data folder is thrown away


class Viewer:
    """Logs in as the first installer and watches. One thread.

    `pictures` counts pictures of the live view, `answer_seconds` lists how long each took, `news` counts
    what the overview was told.
    """

    PICTURE_SECONDS = 0.2
    """Between two pictures, as `panel.js` asks."""

    STATE_EVERY = 3
    """Pictures per question for the faces: 0.7 s in `panel.js`."""

    THUMB_SECONDS, POLL_SECONDS = 3.0, 5.0
    """How often `panel.js` asks for the overview's picture, and for the overview where it is told no news."""

    def __init__(self, port: int) -> None:
        self.pictures = self.news = 0
        self.answer_seconds: list[float] = []
        # The door made its own certificate a moment ago, on this machine.
        context = ssl._create_unverified_context()  # noqa: S323, SLF001
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
        self._stream = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
        self._cookie = ""
        self._asked: dict[str, float] = {}

    def claim(self, code: str) -> None:
        """Make the first account with the one-time code. Raises `EvaluationRefused`."""
        page = self._ask("GET", "/first")[1].decode()
        token = re.search(r'name="csrf" value="([^"]+)"', page)
        fields = {"csrf": token[1] if token else "", "code": code, "name": "viewer", "password": PASSWORD}
        status, answer = self._ask("POST", "/first", urlencode(fields))
        if status != http.client.SEE_OTHER:
            raise EvaluationRefused(f"the panel did not take its own code: {status} {answer[:200]!r}")
        self._connection.close()  # the panel would, after some seconds of silence; the next one is new

    def watch(self) -> None:
        """Ask for one picture, and now and then for the faces in it."""
        begun = time.monotonic()
        status, _ = self._ask("GET", "/live.jpg")
        if status == http.client.OK:
            self.pictures += 1
            self.answer_seconds.append(time.monotonic() - begun)
        if self.pictures % self.STATE_EVERY == 0:
            self._ask("GET", "/live/state")

    def look(self) -> None:
        """Keep the overview's picture new."""
        self._now_and_then("/live.jpg", self.THUMB_SECONDS)

    def poll(self) -> None:
        """Keep the overview and its picture new by asking, as where there is no place to be told news."""
        self.look()
        self._now_and_then("/", self.POLL_SECONDS)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Be told the overview's news, by a thread of its own, until the end of the block."""
        self._stream.request("GET", "/news", headers={"Cookie": self._cookie, "Accept": "text/event-stream"})
        answer = self._stream.getresponse()
        if answer.status != http.client.OK:
            raise EvaluationRefused(f"the panel tells no news: {answer.status}")
        ended = threading.Event()

        def read() -> None:
            with suppress(OSError, http.client.HTTPException):  # cut off by the end of the block
                while not ended.is_set() and (line := answer.readline()):
                    self.news += line.startswith(b"data:")

        reading = threading.Thread(target=read, daemon=True)
        reading.start()
        try:
            yield
        finally:
            ended.set()
            reading.join()  # the overview is sent a line at least every ten seconds
            self._stream.close()

    def _now_and_then(self, path: str, seconds: float) -> None:
        if time.monotonic() - self._asked.get(path, -seconds) >= seconds:
            self._asked[path] = time.monotonic()
            self._ask("GET", path)

    def close(self) -> None:
        """Leave."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        headers = {"Cookie": self._cookie, "Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        if cookie := answer.getheader("Set-Cookie"):
            self._cookie = cookie.split(";")[0]
        return answer.status, answer.read()
