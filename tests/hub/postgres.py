"""A real PostgreSQL of our own, from Debian, on loopback."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.loopback import free_port
from tests.waiting import PATIENCE, wait_until


def binaries():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        reason = "PostgreSQL is not installed (Debian package postgresql)"
        pytest.fail(reason) if os.environ.get("FACEGATE_CI") else pytest.skip(reason)
    return found[-1].parent


class Postgres:
    """A server that can be stopped, killed and started again; its files go at the end."""

    def __init__(self):
        pytest.importorskip("psycopg")
        self.programs, self.port = binaries(), free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="facegate-pg-"))
        self.data = self.folder / "data"
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self.as_user:
            shutil.chown(self.folder, "postgres")
        initialise = [str(self.programs / "initdb"), "-D", str(self.data), "-A", "trust", "-U", "hub"]
        subprocess.run([*self.as_user, *initialise, "-E", "UTF8"], check=True, capture_output=True, cwd="/")
        self.server = None
        self._numbers = itertools.count(1)

    @property
    def url(self):
        return self._url("postgres")

    def _url(self, name):
        return f"postgresql+psycopg://hub@127.0.0.1:{self.port}/{name}"

    @contextmanager
    def database(self, options=""):
        """Yield the URL of an empty database; it is gone afterwards, whoever is still connected to it."""
        name = f"own_{next(self._numbers)}"
        self._say(f"CREATE DATABASE {name} {options}")
        try:
            yield self._url(name)
        finally:
            self._say(f"DROP DATABASE {name} WITH (FORCE)")

    def _say(self, words):
        import psycopg  # noqa: PLC0415 - an extra: skipped without

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="hub", dbname="postgres", autocommit=True
        ) as at:
            at.execute(words)

    def start(self):
        options = ["-D", str(self.data), "-p", str(self.port), "-k", str(self.folder), "-c", "fsync=off"]
        words = [*self.as_user, str(self.programs / "postgres"), *options, "-c", "listen_addresses=127.0.0.1"]
        self.server = subprocess.Popen(words, stderr=subprocess.DEVNULL, cwd="/")
        ready = [str(self.programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
        wait_until(lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0)

    def stop(self, number=signal.SIGINT):
        """SIGINT: connections are cut; SIGQUIT: as after a crash, with recovery at the next start."""
        if self.server is not None:
            os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), number)
            self.server.wait(PATIENCE)
            self.server = None


@contextmanager
def running():
    """Yield an SQLAlchemy URL; the server and its files are gone afterwards."""
    with server() as postgres:
        yield postgres.url


@contextmanager
def server():
    """Yield a running server; it and its files are gone afterwards."""
    postgres = Postgres()
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.stop()
        shutil.rmtree(postgres.folder, ignore_errors=True)
