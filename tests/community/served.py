"""`facegate hub page` and `console` as processes, for trials that kill them or crowd before them."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2 as httpx

from tests.loopback import free_port
from tests.present import present

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class ServedSide:
    """One side, `page` or `console`, of the compound in a folder; the same port again after each start."""

    name: str
    site: Path
    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it says where it is."""
        words = ["hub", "--site", str(self.site), self.name, "--port", str(self.port)]
        words += ["--attached", str(os.getpid())]
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from edge.cli import main; main()", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={"PYTHONUNBUFFERED": "1", "PATH": "/usr/bin:/bin"},
        )
        while "https://" not in (line := present(self.process.stdout).readline()):
            assert line, f"{self.name} ended before it served"

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.communicate()


def side(name: str, site: Path) -> ServedSide:
    return ServedSide(name, site, free_port())


def client(url: str, cookie: str, token: str) -> httpx.Client:
    """Return somebody's browser, which trusts the certificate that the machine made for itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return httpx.Client(base_url=url, verify=context, cookies={cookie: token}, timeout=120)


def csrf(page: str) -> str:
    return present(re.search(r'name="csrf" value="(\w+)"', page))[1]
