"""Compiles the matcher's search where there is a compiler; without one the wheel is pure Python.

CC=NAME                  this compiler instead of cc
FACEGATE_MACHINE=NAME    for that machine, with NAME-linux-gnu-gcc; `any`: pure Python
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "edge/matcher/backends"
BUILT = "_scan.abi3.so"
FLAGS = (
    "-O3",
    "-fPIC",
    "-shared",
    "-fno-math-errno",
    "-ffp-contract=off",
    "-fvisibility=hidden",
    "-fstack-protector-strong",
    "-Wall",
    "-Wextra",
)


class CompiledSearch(BuildHookInterface):  # type: ignore[misc]
    """Puts the compiled search into the wheel, or into the tree that an editable installation runs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile: into the tree for an editable installation, else into the wheel alone."""
        machine = os.environ.get("FACEGATE_MACHINE", platform.machine())
        folder = Path(self.root, FOLDER) if version == "editable" else Path(tempfile.mkdtemp())
        self.built = folder / BUILT
        self.built.unlink(missing_ok=True)
        why_not = _compile(Path(self.root), self.built, machine)
        if why_not:
            self.app.display_warning(f"facegate without its compiled search, slower and as exact: {why_not}")
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-linux_{machine}"
        if version != "editable":
            build_data["force_include"][str(self.built)] = f"{FOLDER}/{BUILT}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatchling's
        """Leave nothing behind but the wheel."""
        if version != "editable":
            shutil.rmtree(self.built.parent)


def _compile(root: Path, built: Path, machine: str) -> str:
    """Compile for `machine` and return why that was not possible, empty when it was."""
    if sys.platform != "linux" or machine == "any":
        return f"asked for {machine} on {sys.platform}"
    compiler = _compiler(machine)
    headers = sysconfig.get_path("include")
    if compiler is None:
        return f"no C compiler for {machine} (Debian: apt install {_debian(machine)})"
    if not Path(headers, "Python.h").exists():
        return "no headers of Python (Debian: apt install python3-dev)"
    files = sources(root)
    words = [
        compiler,
        *FLAGS,
        f'-DSOURCE="{digest(files)}"',
        f"-I{headers}",
        str(files[0]),
        "-o",
        str(built),
        "-lm",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    built.unlink(missing_ok=True)
    return f"{compiler} failed: {done.stderr.strip() or done.returncode}"


def _compiler(machine: str) -> str | None:
    names = ("cc", "gcc", "clang") if machine == platform.machine() else (f"{machine}-linux-gnu-gcc",)
    wanted = [os.environ["CC"]] if os.environ.get("CC") else names
    return next((name for name in wanted if shutil.which(name)), None)


def _debian(machine: str) -> str:
    return (
        "gcc libc6-dev python3-dev"
        if machine == platform.machine()
        else f"gcc-{machine.replace('_', '-')}-linux-gnu"
    )


def sources(root: Path) -> list[Path]:
    """Return the C file and its headers."""
    folder = root / FOLDER
    return [folder / "scan.c", *sorted(folder.glob("scan_*.h"))]


def digest(files: list[Path]) -> str:
    """Return the SHA-256 of these files, one after the other: what was built tells it, and tests compare."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
