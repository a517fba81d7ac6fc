"""What an optional part needs and where the documents lie, told in words that hold wherever facegate runs.

facegate is no name on the Python index, so the words name the packages themselves, with the bounds of the
installed distribution.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

EXTRA_OF = {
    **dict.fromkeys(("starlette", "uvicorn", "jinja2", "python_multipart", "segno", "tomlkit"), "panel"),
    **dict.fromkeys(("lgpio", "gpiod"), "pi"),
    **dict.fromkeys(("faiss", "matplotlib"), "eval"),
    "holidays": "holidays",
    "numkong": "fast",
    "onnx": "models",
    "prometheus_client": "metrics",
    "fido2": "passkeys",
    "sqlalchemy": "hub",
}
"""Which extra brings a module."""


def what_is_missing(module: str | None) -> str | None:
    """Return the one line for a command that stops at an optional module; None for any other module."""
    name = (module or "").partition(".")[0]
    if name not in EXTRA_OF:
        return None
    return f"{name} is not installed: {way_to_install(EXTRA_OF[name])}"


def way_to_install(extra: str) -> str:
    """Return "run: PYTHON -m pip install PACKAGE..." for the packages of an extra, on this machine.

    Where facegate runs without having been installed, it names the extra in the project's list instead.
    """
    packages = [shlex.quote(package) for package in packages_of(extra)]
    if not packages:
        return f"install what pyproject.toml lists under {extra!r}"
    return f"run: {sys.executable} -m pip install {' '.join(packages)}"


def packages_of(extra: str) -> list[str]:
    """Return what pip is to install for an extra: names with their bounds; empty when that is unknown."""
    from importlib.metadata import PackageNotFoundError, requires  # noqa: PLC0415 - only when one is missing

    try:
        listed = requires("facegate") or []
    except PackageNotFoundError:
        return []
    wanted = re.compile(rf"extra == ['\"]{re.escape(extra)}['\"]")
    return [
        _without_extra(requirement)
        for requirement in listed
        if wanted.search(requirement) and not requirement.startswith("facegate")
    ]


def placed(name: str) -> str:
    """Return where a file such as `docs/install.md` or `systemd/config.toml` lies on this machine.

    In the checkout that runs, else where the installed wheel has put it, else the name as it is.
    """
    for root in (Path(__file__).parents[1], Path(sys.prefix) / "share" / "facegate"):
        if (root / name).is_file():
            return str(root / name)
    return name


def _without_extra(requirement: str) -> str:
    """Keep the other conditions: which Python a package is for is pip's to judge."""
    name, _, conditions = requirement.partition(";")
    kept = [part.strip(" ()") for part in conditions.split(" and ") if "extra ==" not in part]
    return "; ".join([name.strip(), *filter(None, [" and ".join(kept)])])
