"""What is installed as root: every package has its SHA-256, and a wheel for every board that is promised."""

from __future__ import annotations

import itertools
import re
import tomllib
from importlib.metadata import PackageNotFoundError, version

import pytest
from packaging.requirements import Requirement

from tests.places import REPOSITORY
from tests.present import present

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
ON_THE_BOARD = ("pi", "models", "panel", "passes", "holidays", "metrics")
AT_THE_PROPERTY = ("hub", "panel", "holidays", "metrics", "passkeys")
PYTHONS, MACHINES = ("3.11", "3.12", "3.13", "3.14"), ("x86_64", "aarch64")


def wanted(*extras: str) -> list[Requirement]:
    return [
        Requirement(text) for text in (*PROJECT["dependencies"], *itertools.chain(*map(EXTRAS.get, extras)))
    ]


def entries(name: str) -> list[str]:
    text = (REPOSITORY / "requirements" / name).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pinned(name: str) -> dict[str, set[str]]:
    """Return the versions of each package in a list."""
    found: dict[str, set[str]] = {}
    for line in entries(name):
        package, at = present(re.match(r"([\w.-]+)(?:\[\w+\])?==(\S+)", line)).groups()
        found.setdefault(package, set()).add(at)
    return found


@pytest.mark.parametrize(("name", "extras"), [("door.txt", ON_THE_BOARD), ("hub.txt", AT_THE_PROPERTY)])
def test_everything_that_is_asked_for_is_pinned_within_its_bounds(name, extras):
    have = pinned(name)

    for requirement in wanted(*extras):
        assert requirement.name in have, f"{requirement.name}: run tools/locks"
        assert all(requirement.specifier.contains(at) for at in have[requirement.name]), requirement


@pytest.mark.parametrize("name", ["door.txt", "hub.txt", "build.txt"])
def test_every_package_has_its_sha256_and_no_place_to_come_from(name):
    for line in entries(name):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line
        assert "://" not in line


@pytest.mark.parametrize(("python", "machine"), [*itertools.product(PYTHONS, MACHINES)])
def test_every_extra_has_a_wheel_for_every_python_and_machine(python, machine):
    """Recorded by tools/locks, which asks the index; `make wheels` asks it again."""
    listed = dict(
        line.split()[2].split("==")
        for line in entries("wheels.txt")
        if line.startswith(f"{python} {machine} ")
    )
    extras = [extra for extra in EXTRAS if extra != "dev"]
    here = {"python_version": python, "python_full_version": f"{python}.0"}

    for requirement in wanted(*extras):
        if requirement.marker is None or requirement.marker.evaluate(here):
            assert requirement.name in listed, f"{requirement.name}: run tools/locks"
            assert requirement.specifier.contains(listed[requirement.name])


def test_the_release_of_onnxruntime_that_a_pi_4_cannot_run_is_left_out():
    onnxruntime = next(one for one in wanted() if one.name == "onnxruntime")

    assert not onnxruntime.specifier.contains("1.21.0")
    assert onnxruntime.specifier.contains("1.21.1")


def test_what_is_tested_here_is_within_the_bounds():
    for requirement in wanted(*(extra for extra in EXTRAS if extra not in {"dev", "pi"})):
        try:
            assert requirement.specifier.contains(version(requirement.name)), requirement
        except PackageNotFoundError:
            assert requirement.marker is not None, requirement
