"""A real PostgreSQL of our own, from Debian, on loopback."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sync.broker import free_port, wait_until


def binaries():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        reason = "PostgreSQL is not installed (Debian package postgresql)"
        pytest.fail(reason) if os.environ.get("FACEGATE_CI") else pytest.skip(reason)
    return found[-1].parent


@contextmanager
def running():
    """Yield an SQLAlchemy URL; the server and its files are gone afterwards."""
    pytest.importorskip("psycopg")
    folder, port = Path(tempfile.mkdtemp(prefix="facegate-pg-")), free_port()
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    programs, data = binaries(), folder / "data"
    initialise = [
        *as_user,
        str(programs / "initdb"),
        "-D",
        str(data),
        "-A",
        "trust",
        "-U",
        "hub",
        "-E",
        "UTF8",
    ]
    subprocess.run(initialise, check=True, capture_output=True, cwd="/")
    options = ["-D", str(data), "-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1"]
    server = subprocess.Popen(
        [*as_user, str(programs / "postgres"), *options], stderr=subprocess.DEVNULL, cwd="/"
    )
    try:
        ready = [str(programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
        wait_until(lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0, 20)
        yield f"postgresql+psycopg://hub@127.0.0.1:{port}/postgres"
    finally:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, 2)  # SIGINT: fast shutdown
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
