"""install.sh on a folder that was brought to a board: what it refuses before anything is replaced."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.places import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

TARGET = "3.13-aarch64"
PYTHON = f"""#!/bin/sh
echo "python3 $*" >> "$HISTORY"
case "$*" in
  *platform.machine*) echo {TARGET} ;;
  "-m venv "*) for last; do :; done; mkdir -p "$last/bin"; cp "$MACHINE/venv-python" "$last/bin/python" ;;
esac
"""
OF_THE_VENV = """#!/bin/sh
echo "python $*" >> "$HISTORY"
case "$*" in
  "-m pip install "*) echo "${NUMBER:-1}" > "${0%/*}/whole" ;;
  "- "*) exec /usr/bin/python3 "$@" ;;
esac
[ "$*" != "-c import $TOO_NEW" ] || kill -ILL $$
[ "$*" != "-c import $BROKEN" ] || exit 1
"""
STEPS = """#!/bin/sh
steps=$(($(cat "$MACHINE/steps" 2>/dev/null || echo 0) + 1))
echo $steps > "$MACHINE/steps"
[ "$steps" != "$KILL_AT" ] || kill -KILL $PPID
"""
STEP = (
    STEPS
    + """exec /usr/bin/{name} "$@"
"""
)


class Folder:
    """What scripts/bundle writes, small, and a machine of stand-ins that write down how they were called."""

    def __init__(self, place: Path) -> None:
        self.place, self.bundle, self.machine = place, place / "bundle", place / "machine"
        (self.bundle / "wheels").mkdir(parents=True)
        self.machine.mkdir()
        shutil.copy(REPOSITORY / "install.sh", self.bundle)
        for name in (f"door-{TARGET}.txt", f"build-{TARGET}.txt", "pip-26.3-py3-none-any.whl"):
            (self.bundle / "wheels" / name).write_text(name)
        for name in ("systemctl", "systemd-sysusers"):
            self.stand_in(name, "#!/bin/sh\n")
        self.stand_in("id", "#!/bin/sh\necho 0\n")
        self.stand_in("python3", PYTHON)
        self.stand_in("venv-python", OF_THE_VENV)
        self.sum_up()

    def stand_in(self, name: str, text: str) -> None:
        (self.machine / name).write_text(text)
        (self.machine / name).chmod(0o755)

    def sum_up(self) -> None:
        (self.bundle / "SHA256SUMS").unlink(missing_ok=True)
        files = sorted(path for path in self.bundle.rglob("*") if path.is_file())
        lines = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(self.bundle)}"
            for path in files
        ]
        (self.bundle / "SHA256SUMS").write_text("\n".join(lines) + "\n")

    def install(self, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
        environ = {"TOO_NEW": "-", "BROKEN": "-", "KILL_AT": "-", **environ}
        environ |= {"PATH": f"{self.machine}:/usr/bin:/bin", "MACHINE": str(self.machine)}
        environ |= {"HISTORY": str(self.place / "history"), "PREFIX": str(self.place / "opt")}
        words = [str(self.bundle / "install.sh"), *options]
        return subprocess.run(words, cwd=self.place, env=environ, capture_output=True, text=True, check=False)

    def key(self, name: str) -> Path:
        """Make a key pair; return the private one (`NAME.pub` lies beside it)."""
        private = self.place / name
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", f"{private}.pub"], check=True)
        return private

    def sign(self, key: Path) -> None:
        sums = self.bundle / "SHA256SUMS"
        words = [
            "openssl",
            "pkeyutl",
            "-sign",
            "-rawin",
            "-inkey",
            str(key),
            "-in",
            str(sums),
            "-out",
            f"{sums}.sig",
        ]
        subprocess.run(words, check=True)

    @property
    def touched(self) -> bool:
        return (self.place / "opt").exists()

    @property
    def program(self) -> str | None:
        """What is installed: the number that the stand-in for the venv wrote into it, None without any."""
        whole = self.place / "opt" / "bin" / "whole"
        return whole.read_text().strip() if (self.place / "opt" / "bin" / "python").exists() else None

    def count_steps(self) -> None:
        """Have every step counted, and the script killed before the one that KILL_AT names."""
        for name in ("ln", "mv", "sync", "rm", "mktemp", "chmod", "install"):
            self.stand_in(name, STEP.format(name=name))
        self.stand_in("python3", STEPS + PYTHON.removeprefix("#!/bin/sh"))
        self.stand_in("venv-python", STEPS + OF_THE_VENV.removeprefix("#!/bin/sh"))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_damaged_file_is_refused_before_anything_is_replaced(folder: Folder) -> None:
    (folder.bundle / "wheels" / "pip-26.3-py3-none-any.whl").write_text("torn")
    done = folder.install()

    assert done.returncode == 1
    assert "damaged or missing: copy the folder anew" in done.stderr
    assert not folder.touched


def test_a_signature_that_is_asked_for_must_be_there_and_right(folder: Folder) -> None:
    key, other = folder.key("release"), folder.key("other")
    assert "is not signed, and --key asks for it" in folder.install("--key", "release.pub").stderr

    folder.sign(other)
    refused = folder.install("--key", "release.pub")
    assert refused.returncode == 1
    assert "do not use this folder" in refused.stderr
    assert not folder.touched

    folder.sign(key)
    assert "signed" not in folder.install("--key", "release.pub", TOO_NEW="numpy").stderr


@pytest.mark.parametrize("library", ["numpy", "cv2", "onnxruntime"])
def test_an_illegal_instruction_ends_another_process_and_is_explained(folder: Folder, library: str) -> None:
    done = folder.install(TOO_NEW=library)

    assert done.returncode == 1
    assert f"{library} has instructions that this processor lacks (SIGILL)" in done.stderr
    assert "what ran before goes on" in done.stderr


def test_a_library_that_does_not_load_is_named(folder: Folder) -> None:
    assert "cv2 cannot be loaded (exit code 1" in folder.install(BROKEN="cv2").stderr


def test_packages_come_from_the_folder_alone_each_with_its_digest(folder: Folder) -> None:
    folder.install(TOO_NEW="numpy")
    [pip] = [line for line in (folder.place / "history").read_text().splitlines() if "pip install" in line]

    for option in ("--no-index", "--require-hashes", "--no-deps"):
        assert option in pip.split()


def test_another_python_is_told_what_the_folder_has(folder: Folder) -> None:
    (folder.bundle / "wheels" / f"door-{TARGET}.txt").rename(
        folder.bundle / "wheels" / "door-3.11-x86_64.txt"
    )
    folder.sum_up()
    done = folder.install()

    assert f"no wheels for Python {TARGET}; it has: door-3.11-x86_64.txt" in done.stderr
    assert not folder.touched


def test_a_checkout_is_told_which_command_it_wants(folder: Folder) -> None:
    (folder.bundle / "SHA256SUMS").unlink()

    assert "in a checkout run: sudo scripts/install" in folder.install().stderr


def test_somebody_who_is_not_root_is_told(folder: Folder) -> None:
    folder.stand_in("id", "#!/bin/sh\necho 1000\n")

    assert "run as root: sudo" in folder.install().stderr


def upgrade(folder: Folder, kill_at: str = "-", number: str = "2") -> int:
    (folder.machine / "steps").unlink(missing_ok=True)
    return folder.install("hub", "--no-services", NUMBER=number, KILL_AT=kill_at).returncode


@pytest.fixture
def hub(folder: Folder) -> Folder:
    (folder.bundle / "wheels" / f"hub-{TARGET}.txt").write_text("hub")
    folder.count_steps()
    folder.sum_up()
    return folder


@pytest.mark.parametrize("is_in_place", [False, True], ids=["link", "folder of an older version"])
def test_an_upgrade_that_is_killed_at_any_step_leaves_a_whole_program(hub: Folder, is_in_place: bool) -> None:
    assert upgrade(hub, number="1") == 0
    if is_in_place:
        whole = (hub.place / "opt").resolve()
        (hub.place / "opt").unlink()
        whole.rename(hub.place / "opt")
    kept = hub.place / "kept"
    subprocess.run(["cp", "-a", "--", hub.place / "opt", kept], check=True)
    assert upgrade(hub) == 0
    steps = int((hub.machine / "steps").read_text())
    assert hub.program == "2"
    for step in range(1, steps + 1):
        back_to_one(hub, kept, is_in_place)
        upgrade(hub, kill_at=str(step))
        assert hub.program in {"1", "2"}, f"killed at step {step} of {steps}"
        assert upgrade(hub) == 0
        assert hub.program == "2"
        assert len(list((hub.place / "opt.versions").iterdir())) == 1


def back_to_one(hub: Folder, kept: Path, is_in_place: bool) -> None:
    """Install the old program anew, as a link or, like an older version, in place."""
    for name in ("opt", "opt.versions"):
        subprocess.run(["rm", "-rf", "--", hub.place / name], check=True)
    if is_in_place:
        subprocess.run(["cp", "-a", "--", kept, hub.place / "opt"], check=True)
    else:
        assert upgrade(hub, number="1") == 0
