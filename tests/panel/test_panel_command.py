"""`facegate panel` as an installer starts it: real models, a clip as the camera, a real browser."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
from contextlib import closing, contextmanager

import cv2
import pytest
from click.testing import CliRunner
from selenium.webdriver.common.by import By

from edge.camera.file import VideoFile
from edge.cli import app
from edge.consent.rules import objection_to_match
from edge.domain import Embedding, Verdict
from edge.recognition.pipeline import Pipeline
from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models
from edge.store.consents import ConsentLedger
from edge.store.residents import ResidentStore
from tests.browser.chromium import DESKTOP, resize
from tests.loopback import free_port
from tests.panel.office import PASSWORD
from tests.panel.test_browser import PanelPerson
from tests.places import need_models, shared_data
from tests.present import present
from tests.waiting import PATIENCE


@contextmanager
def running_panel(data, clip):
    """The command in a process of its own; gives (url, one-time code)."""
    port = free_port()
    words = ["panel", "--camera", str(clip), "--data", str(data), "--port", str(port), "--door", "gate-1"]
    words += ["--operator", "Hill House", "--contact", "0571-1234"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from edge.cli import main; main()", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "default"},
    )
    try:
        lines = [present(process.stdout).readline() for _ in range(3)]
        assert "certificate SHA-256" in lines[1]
        yield f"https://127.0.0.1:{port}", present(re.search(r"account: (\S+)", lines[2]))[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


LOOKS = 30
"""Frames that somebody who walks up is looked at in: three seconds of a clip that was thinned."""


def thinned(clip, target):
    """Copy each third frame of a clip, at a third of its pace: as long, and a third to look at."""
    video = VideoFile(clip)
    first = present(video.read()).image
    height, width = first.shape[:2]
    writer = cv2.VideoWriter(
        str(target), cv2.VideoWriter.fourcc(*"MJPG"), present(video.fps) / 3, (width, height)
    )
    writer.write(first)
    for number in itertools.count(1):
        if (frame := video.read()) is None:
            break
        if number % 3 == 0:
            writer.write(frame.image)
    video.close()
    writer.release()
    return target


def walk_up(data, clip):
    """Play a clip's beginning to the pipeline over the templates that may be matched; who is let in?"""
    models = open_models()
    rows: dict[str, list[Embedding]] = {}
    with closing(ResidentStore(data / "residents.db")) as store:
        with closing(ConsentLedger(data / "consents.db")) as ledger:
            in_force = ledger.in_force()
        for template in store.templates(models.embedder.model_id):
            if objection_to_match(template, in_force) is None:
                rows.setdefault(template.resident_id, []).append(template.embedding)
    pipeline = Pipeline(models.detector, models.embedder, build_matcher(models, ErrorRate(), rows))
    video, granted = VideoFile(clip), set()
    for _ in range(LOOKS):
        if (frame := video.read()) is None:
            break
        granted |= {one.resident_id for one in pipeline.observe(frame) if one.verdict is Verdict.GRANT}
    video.close()
    return granted


def blurred(clip, folder):
    """Three photos of a clip as a lens out of focus shows them."""
    video = VideoFile(clip)
    for number in range(3):
        image = present(video.read()).image
        cv2.imwrite(str(folder / f"fuzzy-{number}.png"), cv2.GaussianBlur(image, (61, 61), 0))
        yield folder / f"fuzzy-{number}.png"
    video.close()


@pytest.mark.browser
@pytest.mark.models
@pytest.mark.shared
@pytest.mark.slow
def test_a_new_user_enrols_himself_from_a_clip_and_is_let_in_until_he_withdraws(browser, tmp_path):
    need_models("yunet", "sface", "faceplugin")
    clip, stranger = (
        thinned(shared_data("video", f"{name}.mp4"), tmp_path / f"{name}.avi") for name in ("lp_d9", "lp_d0")
    )
    data = tmp_path / "door"
    with running_panel(data, clip) as (url, code):
        person = PanelPerson(browser, url, None, None)
        resize(browser, DESKTOP)
        person.go("/")
        person.fill(code=code, name="ines", password=PASSWORD)
        person.press("Create account")
        person.wait_for("people with a face enrolled")
        person.enrol("flat-1203", start=False)
        fuzzy = "\n".join(str(one) for one in blurred(clip, tmp_path))
        browser.find_element(By.NAME, "photos").send_keys(fuzzy)
        person.press("Enrol from photos")
        person.wait_for("Photo 3: blurred")
        person.picture("clip-blurred")

        person.enrol("flat-1203", "Li Wei")
        person.picture("clip-enrolling")
        person.wait_for("The pictures of the face are good")
        person.picture("clip-good")
        person.press("Save")
        person.wait_for("is enrolled")
        assert walk_up(data, clip) == {"flat-1203"}
        assert walk_up(data, stranger) == set()

        person.go("/models")
        person.picture("clip-threshold")
        person.go("/residents/flat-1203")
        person.withdraw("flat-1203")
        person.wait_for("CONFIRMATION OF DELETION")
        assert walk_up(data, clip) == set()
        assert browser.find_elements(By.CSS_SELECTOR, "img.qr")
    raw = b"".join(path.read_bytes() for path in data.iterdir() if path.is_file())
    assert b"\xff\xd8\xff" not in raw  # no picture anywhere in the door's folder


def test_the_command_says_how_it_is_used():
    help_text = CliRunner().invoke(app, ["panel", "--help"]).output

    assert "Example: facegate panel" in help_text
    assert "a running door serves its panel itself" in " ".join(help_text.split()).lower()
