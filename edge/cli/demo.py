"""`facegate demo`: the door at work, with no hardware, no broker and no network."""

from __future__ import annotations

import sys
import time
import uuid
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal

import click

from edge.cli.recording import RECORDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.demo.annotate import VideoSink
    from edge.demo.show import Recording
    from edge.domain import Embedding
    from edge.matcher.matcher import Matcher
    from edge.ports import Camera
    from edge.replay.door import ReplayDoor
    from edge.service.recognition.recogniser import Models
    from edge.store.journal import SqliteJournal


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-out"),
    show_default=True,
    help="Folder for video and contact sheet.",
)
@click.option("--camera", default=None, help="Live instead: 0, /dev/video0, rtsp://... (60 seconds).")
@click.option("--video", type=RECORDING, help="Your own recording.")
@click.option(
    "--gallery",
    "galleries",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Your residents: a folder with one folder per person (with --camera or --video).",
)
@click.option("--seconds", default=60.0, show_default=True, help="How long a live camera is watched.")
@click.option(
    "--liveness",
    type=click.Choice(["off", "passive", "strict"]),
    default="off",
    show_default=True,
    help="Attack detection (photos, phones).",
)
def demo(
    out: Path,
    camera: str | None,
    video: Path | None,
    galleries: tuple[Path, ...],
    seconds: float,
    liveness: Literal["off", "passive", "strict"],
) -> None:
    """Watch a stranger and a resident walk up: real models, real decisions, a relay that only reports.

    Writes an annotated video and a contact sheet. The people are public-domain portraits,
    rendered into walk-up clips. Photographs walk up, so liveness is off in the first acts; in the
    last it is on, and a phone with the resident's photo stays outside.

    Example: facegate demo
    """
    from edge.camera.file import VideoFile
    from edge.demo.show import Show, save_sheet
    from edge.faces.liveness.load import LivenessWish, load_liveness, load_nets
    from edge.replay.door import Recognition, ReplayDoor
    from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models

    if (camera or video) and not galleries:
        raise click.UsageError("--camera and --video need --gallery: who may come in?")
    models = open_models()
    if video:
        VideoFile(video).close()  # told before minutes of enrolling
    if not camera and not video:
        load_nets()  # an act that nothing can judge would show nothing
    residents, source, title_at, expected = _programme(models, camera, video, galleries, seconds)
    matcher = build_matcher(models, ErrorRate(), residents)
    point = matcher.operating_point()
    click.echo(f"liveness {liveness}; {len(residents)} enrolled: {', '.join(list(residents)[:5])}")
    click.echo(f"threshold {point.threshold:.3f}: {point.basis}")
    out.mkdir(parents=True, exist_ok=True)
    journal_path = out / f"journal-{uuid.uuid4().hex[:8]}.db"
    with closing(_journal(journal_path)) as journal, closing(source):
        loaded = load_liveness(LivenessWish(liveness, closer=models.closer()), models.embedder, click.echo)
        door = ReplayDoor(Recognition(models.detector, models.embedder, matcher, loaded.check), journal)
        with closing(_sink(source, out)) as sink:
            recording = Show(door, models.detector, title_at, click.echo).play(source, sink)
            if expected is not None and liveness == "off":
                recording.extend(_attack(models, matcher, journal, sink))
        save_sheet(out / "contact-sheet.png", recording.moments)
        checked = journal.verify()
    click.echo(f"\njournal {journal_path}: {checked} entries, hash chain intact")
    _figures(door)
    click.echo(f"look at {out / 'walk-ups.mp4'} and {out / 'contact-sheet.png'}")
    if expected is not None and liveness == "off":
        _judge(recording, expected)


def _attack(models: Models, matcher: Matcher, journal: SqliteJournal, sink: VideoSink) -> Recording:
    """Play one more act with liveness on: a phone with the resident's photo must stay outside."""
    from edge.demo.render import DemoStage
    from edge.demo.show import Show
    from edge.demo.story import attack
    from edge.faces.liveness.load import LivenessWish, load_liveness
    from edge.replay.door import Recognition, ReplayDoor

    act = attack(models.detector)
    loaded = load_liveness(
        LivenessWish(closer=models.closer()), models.embedder, lambda line: click.echo(f"\n{line}")
    )
    door = ReplayDoor(Recognition(models.detector, models.embedder, matcher, loaded.check), journal)
    return Show(door, models.detector, lambda _: f"act 5: {act.title}", click.echo).play(
        DemoStage([act]), sink
    )


def _programme(
    models: Models, camera: str | None, video: Path | None, galleries: tuple[Path, ...], seconds: float
) -> tuple[dict[str, list[Embedding]], Camera, Callable[[float], str], list[str] | None]:
    """Return who is enrolled, what plays, its titles, and who must be let in (None: unknown)."""
    from edge.demo.render import DemoStage
    from edge.demo.story import acts, enrol_resident
    from edge.enrol.shots import ShotTaker
    from edge.replay.gallery import load_gallery

    if camera is None and video is None:
        programme = acts(models.detector)
        stage = DemoStage(programme)

        def title_at(at: float) -> str:
            number = stage.act_at(at)
            return "" if number is None else f"act {number + 1}: {programme[number].title}"

        taker = ShotTaker(models.detector, models.embedder)
        return enrol_resident(taker), stage, title_at, [who for act in programme for who in act.expected]
    folders = load_gallery(galleries, models)
    title = str(video or camera)
    return folders.residents, _own_camera(camera, video, seconds), lambda _: title, None


def _own_camera(camera: str | None, video: Path | None, seconds: float) -> Camera:
    from edge.camera.file import VideoFile
    from edge.camera.source import CameraSpec, open_camera
    from edge.demo.live import ForAWhile
    from edge.runtime.clock import SystemClock

    if video is not None:
        return VideoFile(video, threads=1)
    assert camera is not None  # noqa: S101 - the caller has asked
    return ForAWhile(open_camera(CameraSpec(camera), SystemClock()), seconds)


def _journal(path: Path) -> SqliteJournal:
    from edge.store.journal import SqliteJournal

    return SqliteJournal(path, "demo", boot=str(uuid.uuid4()), clock_trust=lambda: "unknown")


def _sink(source: Camera, out: Path) -> VideoSink:
    from edge.demo.annotate import VideoSink
    from edge.demo.render import FPS, HEIGHT, WIDTH

    size = getattr(source, "size", (WIDTH, HEIGHT))
    return VideoSink(out / "walk-ups.mp4", size, getattr(source, "fps", FPS))


def _figures(door: ReplayDoor) -> None:
    """Say what the decisions cost: CPU of the recognition alone, drawing not included."""
    figures = door.figures
    busy = [spent for spent in figures.frame_cpu_s if spent > 0.3e-3]
    stages = ", ".join(f"{stage} {ms:.2f}" for stage, ms in figures.watch.median_ms().items())
    mean_ms, busy_ms = 1e3 * figures.cpu_s / max(figures.frames, 1), 1e3 * median(busy or [0])
    click.echo(
        f"{figures.frames} frames: {mean_ms:.2f} ms CPU a frame on average, {busy_ms:.1f} ms"
        f" on frames looked at, {1e3 * max(figures.frame_cpu_s, default=0):.1f} ms at most"
    )
    click.echo(
        f"per call (median CPU ms): {stages}; {figures.watch.count('embed')} embeddings in all;"
        f" process CPU {time.process_time():.1f} s"
    )


def _judge(recording: Recording, expected: list[str]) -> None:
    """Fail loudly when the demo did not show what it is there to show."""
    from edge.domain import Reason

    granted = [o.decision.resident_id for o in recording.outcomes if o.unlocked_seconds > 0]
    seen_through = any(o.decision.reason is Reason.PRESENTATION_ATTACK for o in recording.outcomes)
    if granted == expected and seen_through:
        times = f"{len(granted)} times, for {granted[0]} only"
        click.echo(f"the gate opened {times}, and the phone was seen through: as it should")
        return
    phone = "seen through" if seen_through else "not judged as an attack"
    click.echo(f"NOT as it should: let in {granted}, expected {expected}; the phone: {phone}", err=True)
    sys.exit(1)
