"""A browser for `boot_hub`, of Python's own library and the installed program: looks, or logs in.

over_https.py look PORT...            prints each first page; fails unless it is one
over_https.py begin PORT CODE FILE    uses an account's one-time code, and keeps its session in FILE
over_https.py again PORT FILE PATH    prints a page with that session
"""

from __future__ import annotations

import re
import ssl
import sys
import time
from http.cookiejar import MozillaCookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPSHandler, build_opener

PASSWORD = "correct horse battery staple 9"


class Browser:
    """Keeps cookies in a file and takes the certificate that the machine made for itself."""

    def __init__(self, port: str, file: str | None = None) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.jar = MozillaCookieJar(file)
        self.base = f"https://localhost:{port}"
        self.opener = build_opener(HTTPSHandler(context=context), HTTPCookieProcessor(self.jar))
        self.page = ""

    def get(self, path: str) -> str:
        return self._took(path, None)

    def send(self, path: str, **fields: str) -> str:
        csrf = re.search(r'name="csrf" value="(\w+)"', self.page)
        fields |= {"csrf": csrf[1]} if csrf else {}
        return self._took(path, urlencode(fields).encode())

    def _took(self, path: str, data: bytes | None) -> str:
        with self.opener.open(self.base + path, data, timeout=60) as answer:
            self.page = answer.read().decode()
        return self.page


def begin(browser: Browser, code: str) -> None:
    from facegate_hub.community.totp import code_at  # noqa: PLC0415 - what only looks needs none of it

    browser.get("/first")
    browser.send("/first", name="admin", code=code, password=PASSWORD)
    found = re.search(r"\b(?:[A-Z2-7]{4} ){3,}[A-Z2-7]{1,4}\b", browser.page)
    assert found, browser.page
    import base64  # noqa: PLC0415 - beside its use

    text = found[0].replace(" ", "")
    secret = base64.b32decode(text + "=" * (-len(text) % 8))
    browser.send("/first/app", name="admin", code=code, digits=code_at(secret, int(time.time())))
    assert "front" in browser.get("/doors"), browser.page
    browser.jar.save(ignore_discard=True, ignore_expires=True)


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "look":
        for port in rest:
            page = Browser(port).get("/")
            assert "<html" in page, page[:300]
            sys.stdout.write(page)
    elif what == "begin":
        port, code, file = rest
        begin(Browser(port, file), code)
    else:
        port, file, path = rest
        browser = Browser(port, file)
        browser.jar.load(ignore_discard=True, ignore_expires=True)
        sys.stdout.write(browser.get(path))


if __name__ == "__main__":
    main()
