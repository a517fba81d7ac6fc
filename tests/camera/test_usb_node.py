"""A USB camera that comes back under another number is found; another camera is not taken for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.camera.usb_node import UsbNode

if TYPE_CHECKING:
    from pathlib import Path


def plug(dev: Path, number: int, port: str, name: str = "usb-Gate_Cam-video-index0") -> None:
    """Let a camera appear as udev lets it: a node, and links to it by port and by name."""
    (dev / f"video{number}").write_bytes(b"")
    for folder, link in (("by-path", f"usb-0:{port}:1.0-video-index0"), ("by-id", name)):
        (dev / "v4l" / folder).mkdir(parents=True, exist_ok=True)
        (dev / "v4l" / folder / link).unlink(missing_ok=True)
        (dev / "v4l" / folder / link).symlink_to(f"../../video{number}")


def unplug(dev: Path, number: int) -> None:
    (dev / f"video{number}").unlink()
    for link in (dev / "v4l").glob("*/*"):
        if not link.exists():
            link.unlink()


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("is_number", [True, False])
def test_a_camera_that_comes_back_under_another_number_is_found(dev: Path, is_number: bool) -> None:
    plug(dev, 0, "1.2")
    node = UsbNode(0 if is_number else str(dev / "video0"), dev)
    assert node.path() == str(dev / "video0")
    unplug(dev, 0)
    assert node.path() == str(dev / "video0"), "what is nowhere is named as it was"
    plug(dev, 1, "1.2")
    assert node.path() == str(dev / "video1")


def test_plugged_into_another_port_it_is_found_by_its_name(dev: Path) -> None:
    plug(dev, 0, "1.2")
    node = UsbNode(0, dev)
    node.path()
    unplug(dev, 0)
    plug(dev, 2, "1.4")
    assert node.path() == str(dev / "video2")


def test_another_camera_under_the_old_number_is_not_taken_for_it(dev: Path) -> None:
    plug(dev, 0, "1.2")
    node = UsbNode(0, dev)
    node.path()
    unplug(dev, 0)
    plug(dev, 0, "1.3", "usb-Other_Cam-video-index0")
    plug(dev, 1, "1.2")
    assert node.path() == str(dev / "video1")


def test_a_camera_that_is_there_later_than_the_door_is_remembered_then(dev: Path) -> None:
    node = UsbNode(0, dev)
    assert node.path() == str(dev / "video0")
    plug(dev, 0, "1.2")
    node.path()
    unplug(dev, 0)
    plug(dev, 3, "1.2")
    assert node.path() == str(dev / "video3")


def test_where_udev_names_nothing_the_number_counts(dev: Path) -> None:
    (dev / "video0").write_bytes(b"")
    assert UsbNode(0, dev).path() == str(dev / "video0")
