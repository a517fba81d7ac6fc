"""One browser at the panel's live view, without a browser: the same requests at the same pace."""

from __future__ import annotations

import http.client
import re
import ssl
import time
from urllib.parse import urlencode

from edge.errors import EvaluationRefused

PASSWORD = "only for this benchmark"  # noqa: S105 - its data folder is thrown away


class Viewer:
    """Logs in as the first installer and watches. One thread.

    `pictures` counts pictures, `answer_seconds` lists how long each took.
    """

    PICTURE_SECONDS = 0.2
    """Between two pictures, as `panel.js` asks."""

    STATE_EVERY = 3
    """Pictures per question for the faces: 0.7 s in `panel.js`."""

    def __init__(self, port: int) -> None:
        self.pictures = 0
        self.answer_seconds: list[float] = []
        # The door made its own certificate a moment ago, on this machine.
        context = ssl._create_unverified_context()  # noqa: S323, SLF001
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
        self._cookie = ""

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
