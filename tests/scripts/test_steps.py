"""scripts/demo and scripts/test on machines that lack this or that: what they do, say and repair.

The machine is a folder of stand-ins that write down how they were called; the real shell, environment
and file system do the rest.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.places import REPOSITORY

BASICS = [
    "sh",
    "env",
    "date",
    "sed",
    "grep",
    "find",
    "cut",
    "mktemp",
    "rm",
    "touch",
    "dirname",
    "id",
    "cat",
    "ls",
    "mkdir",
    "cp",
    "chmod",
]

PYTHON = """#!/bin/sh
# A Python without ensurepip until python3-venv is installed; makes environments that hold stand-ins.
echo "python3 $*" >> "$HISTORY"
case "$*" in
  *"import ensurepip"*) test -e "$MACHINE/python3-venv" ;;
  *version_info*) test ! -e "$MACHINE/old" ;;
  *--version*) echo "Python 3.9.2" ;;
  "-m venv --clear "*)
    rm -rf "$4"; mkdir -p "$4/bin"
    cp "$MACHINE/pip-python" "$4/bin/python"; cp "$MACHINE/facegate" "$4/bin/facegate" ;;
esac
"""
PIP = """#!/bin/sh
echo "python $*" >> "$HISTORY"
case "$*" in
  *find_spec*) test ! -e "$MACHINE/no-onnx" ;;
  *"pip uninstall"*) touch "$MACHINE/no-onnx" ;;
  *"pip install"*)
    rm -f "$MACHINE/no-onnx"
    if [ -e "$MACHINE/offline" ]; then echo "ERROR: no route to the index"; exit 1; fi
    echo "  Downloading https://index.example/packages/numpy-2.4-cp313.whl (15 MB)" ;;
esac
"""
FACEGATE = """#!/bin/sh
echo "facegate $*" >> "$HISTORY"
case "$*" in
  "models install"*) test ! -e "$MACHINE/no-models" ;;
  "models verify"*) test ! -e "$MACHINE/lost-model" ;;
esac
"""
APT = """#!/bin/sh
echo "apt-get $*" >> "$HISTORY"
grep Dir:: "$APT_CONFIG" >> "$MACHINE/apt-keeps"
[ ! -e "$MACHINE/offline" ] || { echo "E: Failed to fetch"; exit 100; }
case "$*" in
  *install*) touch "$MACHINE/python3-venv"; cp "$MACHINE/python3.there" "$MACHINE/bin/python3" ;;
esac
echo "After this operation, 30 MB of additional disk space will be used."
"""
DPKG = """#!/bin/sh
for last; do :; done
[ ! -e "$MACHINE/$last" ] || echo "install ok installed"
"""


class Machine:
    """A checkout with our scripts on a machine that has only what is named."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.checkout, self.bin = folder, folder / "checkout", folder / "bin"
        self.bin.mkdir()
        for name in BASICS:
            (self.bin / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        for name, text in {"apt-get": APT, "dpkg-query": DPKG}.items():
            self.place(self.bin / name, text)
        for name, text in {"python3.there": PYTHON, "pip-python": PIP, "facegate": FACEGATE}.items():
            self.place(folder / name, text)
        shutil.copytree(REPOSITORY / "scripts", self.checkout / "scripts")
        (self.checkout / "pyproject.toml").write_text("")

    @staticmethod
    def place(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def with_python(self) -> Machine:
        shutil.copy(self.folder / "python3.there", self.bin / "python3")
        (self.folder / "python3-venv").touch()
        return self

    def has(self, name: str) -> None:
        (self.folder / name).touch()

    def demo(self, *options: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": str(self.bin), "MACHINE": str(self.folder)}
        environ["HISTORY"] = str(self.folder / "history")
        (self.folder / "history").write_text("")
        words = [str(self.checkout / "scripts" / "demo"), *options]
        return subprocess.run(words, cwd=cwd or "/", env=environ, capture_output=True, text=True, check=False)

    def calls(self, start: str) -> list[str]:
        return [line for line in (self.folder / "history").read_text().splitlines() if line.startswith(start)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="as another user the script asks sudo")


@needs_root
def test_a_machine_without_python_gets_debians_and_nothing_else(machine: Machine) -> None:
    done = machine.demo()

    assert done.returncode == 0, done.stderr
    assert "from Debian, for running it: python3 python3-venv ca-certificates" in done.stdout
    [_update, install] = machine.calls("apt-get")
    assert install.endswith("python3 python3-venv ca-certificates")
    assert "--no-install-recommends" in install
    # In a file that apt's own helpers read, too; and it is gone afterwards.
    kept = re.findall(r'^Dir::(.*) "(.*)";$', (machine.folder / "apt-keeps").read_text(), re.MULTILINE)
    assert {name for name, _ in kept} == {"State::lists", "Cache"}
    assert not any(Path(place).exists() for _, place in kept)


def test_it_says_how_far_it_is_and_ends_with_the_next_command(machine: Machine) -> None:
    done = machine.with_python().demo()

    assert "Downloading numpy-2.4-cp313.whl (15 MB)" in done.stdout
    assert done.stdout.splitlines()[-1].strip().startswith(".venv/bin/facegate demo --camera 0")
    assert all(re.match(r"\[ *\d+ s\] ", line) for line in done.stdout.splitlines()[:3])


def test_it_installs_what_the_demo_needs_and_not_the_developers_tools(machine: Machine) -> None:
    machine.with_python().demo()

    [install] = machine.calls("python -m pip install")
    assert install.endswith("--editable .[models,hub,panel]")


def test_the_second_time_nothing_is_installed_again(machine: Machine) -> None:
    machine.with_python().demo()
    machine.demo("--out", "elsewhere")

    assert machine.calls("apt-get") == machine.calls("python -m pip") == []
    assert machine.calls("facegate demo") == ["facegate demo --out elsewhere"]


def test_what_only_prepares_models_goes_when_they_are_there(machine: Machine) -> None:
    machine.with_python().demo()

    [gone] = machine.calls("python -m pip uninstall")
    assert gone.endswith(" onnx ml_dtypes")
    history = (machine.folder / "history").read_text()
    assert history.index("facegate models install") < history.index(gone) < history.index("facegate demo")


def of_onnx_runtime(machine: Machine, needs: str) -> Path:
    """ONNX Runtime's library for C, beside its module for Python that needs these libraries."""
    packages = machine.checkout / ".venv" / "lib" / "python3.13" / "site-packages"
    capi = packages / "onnxruntime" / "capi"
    installer = packages / "pip" / "_internal" / "__pycache__"
    for folder in (capi, installer, packages / "rich" / "__pycache__", packages / "cv2" / "data"):
        folder.mkdir(parents=True)
    for name in ("__init__.py", "haarcascade_eye.xml"):
        (packages / "cv2" / "data" / name).touch()
    (capi / "onnxruntime_pybind11_state.cpython-313.so").write_bytes(b"\x7fELF\0" + needs.encode())
    library = capi / "libonnxruntime.so.1.32.0"
    library.write_bytes(b"\x7fELF")
    return library


def test_what_nothing_loads_goes_and_what_is_loaded_stays(machine: Machine) -> None:
    machine.with_python().demo()
    library = of_onnx_runtime(machine, needs="libstdc++.so.6")
    assert machine.demo().returncode == 0

    assert not library.exists()
    assert not list(machine.checkout.rglob("pip/**/__pycache__"))
    assert list(machine.checkout.rglob("rich/__pycache__"))
    assert [path.name for path in machine.checkout.rglob("cv2/data/*")] == ["__init__.py"]


def test_a_library_that_the_module_needs_stays(machine: Machine) -> None:
    machine.with_python().demo()
    library = of_onnx_runtime(machine, needs="libonnxruntime.so.1")
    assert machine.demo().returncode == 0

    assert library.exists()


def test_a_model_that_was_lost_brings_it_back(machine: Machine) -> None:
    machine.with_python().demo()
    machine.has("lost-model")

    assert machine.demo().returncode == 0
    assert len(machine.calls("python -m pip install")) == 1


def test_the_environment_of_the_tests_keeps_all_its_packages(machine: Machine) -> None:
    machine.with_python().demo()
    (machine.checkout / ".venv" / "bin" / ".installed").touch()
    machine.demo()

    assert machine.calls("python -m pip uninstall") == []


def test_a_changed_list_of_packages_is_installed(machine: Machine) -> None:
    machine.with_python().demo()
    later = (machine.checkout / ".venv" / "bin" / ".installed-demo").stat().st_mtime + 10
    os.utime(machine.checkout / "pyproject.toml", (later, later))
    machine.demo()

    assert len(machine.calls("python -m pip install")) == 1


@pytest.mark.parametrize("half", ["no pip", "no python", "nothing but the folder"])
def test_a_half_made_environment_is_made_anew(machine: Machine, half: str) -> None:
    binaries = machine.checkout / ".venv" / "bin"
    binaries.mkdir(parents=True)
    if half == "no pip":
        machine.place(binaries / "python", "#!/bin/sh\nexit 1\n")
    if half == "no python":
        (binaries / "python").symlink_to("/nowhere/python3.9")
    done = machine.with_python().demo()

    assert done.returncode == 0, done.stderr
    assert "only half there" in done.stdout
    assert len(machine.calls("python -m pip install")) == 1


def test_an_environment_whose_python_went_is_made_anew_in_spite_of_the_stamp(machine: Machine) -> None:
    machine.with_python().demo()
    (machine.checkout / ".venv" / "bin" / "python").unlink()
    machine.place(machine.checkout / ".venv" / "bin" / "facegate", "#!/nowhere/python\n")
    done = machine.demo()

    assert done.returncode == 0, done.stderr
    assert len(machine.calls("python -m pip install")) == 1


def test_without_a_network_it_fails_says_why_and_goes_on_from_there(machine: Machine) -> None:
    machine.with_python().has("offline")
    done = machine.demo()
    assert done.returncode == 1
    assert "ERROR: no route to the index" in done.stderr
    assert "is there a network? Then run" in done.stderr

    (machine.folder / "offline").unlink()
    assert machine.demo().returncode == 0
    assert machine.calls("python3 -m venv") == []


@needs_root
def test_apt_without_a_network_fails_with_its_own_words(machine: Machine) -> None:
    machine.has("offline")
    done = machine.demo()

    assert done.returncode == 1
    assert "E: Failed to fetch" in done.stderr


def test_a_python_too_old_is_named_with_the_way_out(machine: Machine) -> None:
    machine.with_python().has("old")
    done = machine.demo()

    assert done.returncode == 1
    assert "Python 3.9.2 is too old: 3.11 or newer" in done.stderr


def test_models_that_cannot_be_had_end_it_before_the_demo(machine: Machine) -> None:
    machine.with_python().has("no-models")
    done = machine.demo()

    assert done.returncode != 0
    assert machine.calls("facegate demo") == []


def test_somebody_who_is_not_root_and_has_no_sudo_is_told_what_to_run(machine: Machine) -> None:
    (machine.bin / "id").unlink()
    machine.place(machine.bin / "id", "#!/bin/sh\necho 1000\n")
    done = machine.demo()

    assert done.returncode == 1
    assert "run as root: apt-get install python3 python3-venv ca-certificates" in done.stderr


@pytest.mark.parametrize("script", ["demo", "test", "lint", "steps.sh"])
def test_every_script_is_plain_posix_shell(script: str) -> None:
    path = REPOSITORY / "scripts" / script
    done = subprocess.run(["sh", "-n", path], capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert script == "steps.sh" or path.read_text().startswith("#!/bin/sh\n")
    assert not {"[[", "pipefail", "local", "<<<", "source", "function"} & set(path.read_text().split())


@pytest.mark.parametrize("target", ["demo", "test", "lint"])
def test_make_calls_the_same_script(target: str) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    words = ["make", "--dry-run", "--no-print-directory", target]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert done.stdout.split() == [f"scripts/{target}"]


def test_ci_runs_what_a_contributor_runs() -> None:
    assert (REPOSITORY / ".ci" / "run").read_text().rstrip().endswith("exec scripts/test")
