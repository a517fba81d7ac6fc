"""facegate's own wheel: with the compiled search for one machine, or without it for any; never no wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.places import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

BUILT = "edge/matcher/backends/_scan.abi3.so"


def wheel(folder: Path, **environ: str) -> tuple[str, bytes, str]:
    """Return the name of the wheel that is built, its compiled search (empty without), and what was said."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: pip install -e '.[dev]'")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    environ = {key: value for key, value in os.environ.items() if key != "CC"} | environ
    done = subprocess.run(words, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [made] = folder.glob("*.whl")
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
        assert not [name for name in names if name.endswith((".c", ".h"))]
        built = archive.read(BUILT) if BUILT in names else b""
    return made.name, built, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"CC": "no-such-compiler"}, "no C compiler"),
        ({"CC": "false"}, "false failed"),
        ({"FACEGATE_MACHINE": "any"}, "asked for any"),
        ({"FACEGATE_MACHINE": "riscv128"}, "no C compiler for riscv128"),
    ],
)
def test_without_a_compiler_it_is_for_any_machine_and_says_why(
    tmp_path: Path, environ: dict[str, str], why: str
) -> None:
    name, built, said = wheel(tmp_path, **environ)
    assert name.endswith("-py3-none-any.whl")
    assert not built
    assert "without its compiled search" in said
    assert why in said


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_with_a_compiler_it_is_for_one_machine_and_every_python(tmp_path: Path, machine: str) -> None:
    compiler = "cc" if os.uname().machine == machine else f"{machine}-linux-gnu-gcc"
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed (Debian: gcc, gcc-aarch64-linux-gnu, gcc-x86-64-linux-gnu)")
    tree = REPOSITORY / BUILT
    before = tree.stat() if tree.exists() else None
    name, built, _ = wheel(tmp_path, FACEGATE_MACHINE=machine)
    assert name.endswith(f"-cp311-abi3-linux_{machine}.whl")
    assert built[:4] == b"\x7fELF"
    assert int.from_bytes(built[18:20], "little") == {"x86_64": 62, "aarch64": 183}[machine]
    assert before == (tree.stat() if tree.exists() else None), "building a wheel changed the checkout"
