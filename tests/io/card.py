"""A dying card: builds the preload library and says what it does to one folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).with_name("faulty_card.c")
ROOT = Path(__file__).parents[2]
SETTLE_SECONDS = 0.02
"""The library looks at the control file's time stamp, which is no finer than a kernel's tick."""


def library() -> Path:
    """Return the built library; skips the test where there is no C compiler."""
    # It needs the C library that it was built on: systems that share this folder each have their own.
    system = os.confstr("CS_GNU_LIBC_VERSION") or ""
    digest = hashlib.sha256(SOURCE.read_bytes() + system.encode()).hexdigest()[:12]
    built = Path(tempfile.gettempdir()) / f"facegate-faulty-card-{os.getuid()}-{digest}.so"
    if not built.exists():
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("no C compiler for the library that plays the dying card: install gcc")
        draft = built.with_name(f"{built.name}.{os.getpid()}")
        flags = ["-O2", "-shared", "-fPIC", "-Wno-unused-result"]
        subprocess.run([compiler, *flags, "-o", draft, SOURCE, "-lpthread"], check=True)
        draft.replace(built)
    return built


class Card:
    """One folder on a card that fails by rules; see `faulty_card.c` for their form."""

    def __init__(self, folder: Path, control: Path) -> None:
        self.folder, self.control = folder, control
        self.control.touch()

    def play(self, *rules: str) -> None:
        """Go by these rules from now on; by none: the card is well."""
        self.control.write_text("\n".join(rules) + "\n")
        time.sleep(SETTLE_SECONDS)

    def environ(self, **more: str) -> dict[str, str]:
        """Return the environment of a process whose folder this is."""
        return {
            **os.environ,
            "LD_PRELOAD": str(library()),
            "FAULTY_FOLDER": str(self.folder),
            "FAULTY_CONTROL": str(self.control),
            **more,
        }

    def run(self, module: str, *words: str, seconds: float = 120, **more: str) -> Any:
        """Return what `python -m MODULE FOLDER CONTROL WORDS` printed as JSON on its last line."""
        command = [sys.executable, "-m", module, str(self.folder), str(self.control), *words]
        done = subprocess.run(
            command,
            env=self.environ(**more),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])
