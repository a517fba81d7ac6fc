"""`facegate simulate`: the door as a page in the terminal."""

from __future__ import annotations

import contextlib
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.recording import RECORDING
from edge.relay.simulator import HELP, SimulatedAnswer, Simulator, SimulatorView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from edge.relay.door import DoorSettings

REFRESH_SECONDS = 0.05

DEMO_NUMBER, DEMO_PIN, DEMO_DURESS_PIN = "1203", "480516", "480517"
UNLOCK_SECONDS = 5.0


@click.command()
@click.option("--video", type=RECORDING, help="Recording that p plays.")
@click.option(
    "--gallery",
    "galleries",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Residents for the recording: a folder with one folder of photos each.",
)
@click.option("--keys", "keys", help="Press these keys a second apart, print the page and stop.")
def simulate(video: Path | None, galleries: tuple[Path, ...], keys: str | None) -> None:
    """Rehearse the door without hardware: contact, buttons, tamper, fire, relay, keypad, recording.

    Every key moves a simulated wire of the real lock, sensors and state machine. The keypad knows
    flat 1203 with PIN 480516 (and 480517 under duress): type 1203*480516#.

    Example: facegate simulate --keys gowwww
    """
    from edge.relay.door import DoorSettings
    from edge.runtime.clock import ManualClock, SystemClock

    if (video is None) != (not galleries):
        raise click.UsageError(
            "--video and --gallery belong together: who is on the recording, and who lives here"
        )
    recording = list(_decisions(video, galleries)) if video is not None else []
    settings: DoorSettings = DoorSettings(unlock_seconds=UNLOCK_SECONDS)
    if keys is not None:
        clock = ManualClock()
        press_all(Simulator(clock, settings, demo_keypad(), recording), keys, clock.advance)
    elif sys.stdin.isatty() and sys.stdout.isatty():
        _live(Simulator(SystemClock(), settings, demo_keypad(), recording))
    else:
        raise click.UsageError("this is no terminal: give the keys to press with --keys, such as --keys gow")


def demo_keypad() -> Callable[[str], SimulatedAnswer]:
    """Return a keypad that knows one flat, with the door's own PIN book behind it."""
    import secrets

    from edge.policy.pin import PinBook

    book = PinBook(secrets.token_bytes(32))
    book = book.with_pin(DEMO_NUMBER, "resident-1203", DEMO_PIN)
    book = book.with_pin(DEMO_NUMBER, "resident-1203", DEMO_DURESS_PIN, is_duress=True)

    def answer(typed: str) -> SimulatedAnswer:
        number, _, pin = typed.partition("*")
        match = book.match(number, pin)
        if match is None:
            return SimulatedAnswer("keypad: refused")
        silent = " under duress: opens, and alarms silently" if match.is_duress else ""
        return SimulatedAnswer(f"keypad: granted to {match.resident_id}{silent}", UNLOCK_SECONDS)

    return answer


def draw(page: SimulatorView) -> RenderableType:
    """Return `page` for a terminal."""
    from rich.columns import Columns
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    state = page.state
    alarms = ", ".join(sorted(state.alarms)) or "none"
    rows = {
        "door": f"{state.door}   lock {state.lock}   {state.secured.upper()}   ({state.phase})",
        "alarms": alarms,
        "relay": page.relay,
        "inputs": "   ".join(f"{name} {value}" for name, value in page.inputs.items()),
        "keypad": page.keypad or "-",
        "modes": ", ".join(page.modes) or "normal",
    }
    facts = Text("\n".join(f"{name:7} {text}" for name, text in rows.items()))
    style = "red" if state.alarms else "green" if state.secured == "secured" else "yellow"
    keys = Columns([Text(f"{key}  {text}") for key, text in HELP.items()], padding=(0, 2))
    return Group(
        Panel(facts, title="facegate simulate", border_style=style),
        Panel(Text("\n".join(page.events) or "nothing yet"), title="events"),
        keys,
    )


def press_all(simulator: Simulator, keys: str, advance: Callable[[float], None]) -> None:
    """Press `keys` one second apart on the simulator's own clock, and print the page."""
    from rich.console import Console

    for key in keys:
        if not simulator.press(key):
            break
        advance(1.0)
        simulator.tick()
    Console().print(draw(simulator.page()))


def _live(simulator: Simulator) -> None:
    from rich.live import Live

    with _single_keys(), Live(draw(simulator.page()), screen=True, auto_refresh=False) as live:
        going = True
        while going:
            if select.select([sys.stdin], [], [], REFRESH_SECONDS)[0]:
                going = simulator.press(sys.stdin.read(1))
            simulator.tick()
            live.update(draw(simulator.page()), refresh=True)


@contextlib.contextmanager
def _single_keys() -> Iterator[None]:
    """Hand keys over one by one and unseen, and leave the terminal as it was."""
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _decisions(video: Path, galleries: tuple[Path, ...]) -> Iterator[tuple[float, SimulatedAnswer]]:
    """Run the recording through the recognition once; yield when it said what."""
    from edge.domain import Verdict
    from edge.replay.door import Recognition, replay_clip
    from edge.replay.gallery import load_gallery
    from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models

    models = open_models("sface")
    click.echo("recognising once, so that the page can play it back...", err=True)
    folders = load_gallery(galleries, models)
    matcher = build_matcher(models, ErrorRate(1e-3, None), folders.residents)
    recognition = Recognition(models.detector, models.embedder, matcher)
    _, decisions = replay_clip(video, recognition, lambda _decision: None)
    for decision in decisions:
        who = decision.resident_id or "a stranger"
        granted = decision.verdict is Verdict.GRANT
        text = f"camera: {who}: {decision.reason}"
        yield decision.time, SimulatedAnswer(text, UNLOCK_SECONDS if granted else 0.0)
