"""The command `facegate`: one file per group of commands, loaded only when called.

Start-up time matters on a weak board, so nothing heavy is imported here. Exit codes: 0 done,
1 the job failed, 2 wrong usage, 78 bad configuration (systemd then does not restart); where a card that
fails does not give the configuration it is 1.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, NoReturn

import click

from edge import __version__
from edge.errors import ConfigError, FacegateError, may_pass
from edge.extras import what_is_missing
from edge.lazy_group import LazyGroup

# Before numpy loads: a second thread of a small matrix product only waits for a core that embeds.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Before OpenCV loads: what a camera or a clip lacks is told in our words; OpenCV and FFmpeg would add theirs.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# Before settings are declared: pydantic would read every installed package's metadata for plugins, and let
# them watch what the settings hold.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

EXTENSIONS = "facegate.commands"
"""Entry-point group of tables like `COMMANDS` that other installed packages bring (pyproject.toml)."""

NOT_WRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a disk answers; no defect of ours makes it say so."""

EXIT_FAILED = 1
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h; see RestartPreventExitStatus in systemd/

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module:attribute, one line for the overview)
    "models": ("edge.cli.models:models", "Install, list and verify the face models."),
    "demo": ("edge.cli.demo:demo", "Watch the door work, with no hardware and no network."),
    "run": ("edge.cli.run:run", "Run the door controller (the service)."),
    "config": ("edge.cli.config:config", "Check the settings and print them, secrets masked."),
    "doctor": ("edge.cli.doctor:doctor", "Check everything this door needs, and say how to fix it."),
    "enrol": ("edge.cli.enrol:enrol", "Add, list and remove residents' faces."),
    "consent": ("edge.cli.consent.group:consent", "Record, list and withdraw consents to face matching."),
    "panel": ("edge.cli.panel:panel", "Serve the web page at a desk where no door runs."),
    "account": (
        "edge.cli.account:account",
        "Show, make and change logins to the door's page.",
    ),
    "events": ("edge.cli.events:events", "Show, follow and verify the door journal."),
    "explain": ("edge.cli.explain:explain", "Tell why the door did what it did, with every number."),
    "pass": ("edge.cli.passes:passes", "Make and check signed visitor passes."),
    "pin": ("edge.cli.credentials:pin", "Give, list and take back PINs."),
    "card": ("edge.cli.credentials:card", "Give, list and take back cards."),
    "policy": ("edge.cli.policy:policy", "Check access rules and try them on past events."),
    "provision": ("edge.cli.provision:provision", "Make a site's keys, certificates and broker setup."),
    "mqtt": ("edge.cli.mqtt:mqtt", "Print the description of all MQTT messages (AsyncAPI)."),
    "clock": ("edge.cli.clock:clock", "Show how far the door trusts its clock; confirm the time."),
    "sharing": ("edge.cli.sharing:sharing", "Share faces with the other doors of the site."),
    "keys": ("edge.cli.keys:keys", "Show and change the key that face data is encrypted with."),
    "backup": ("edge.cli.backup:backup", "Back up the door to one encrypted file."),
    "restore": ("edge.cli.backup:restore", "Restore a door from a backup."),
    "replay": ("edge.cli.replay:replay", "Run the controller over a recording."),
    "bench": ("edge.cli.bench.group:bench", "Measure speed on recorded video and galleries."),
    "evaluate": ("edge.cli.evaluate.group:evaluate", "Measure error rates on labelled images."),
    "pad": ("edge.cli.pad:pad", "Record and measure attacks (photos, phones) on this camera."),
    "matcher": ("edge.cli.matcher:matcher", "Show which matcher backend is used, and why."),
    "reference": ("edge.cli.reference:reference", "Print the tables of events, reasons and settings."),
    "simulate": ("edge.cli.simulate:simulate", "Rehearse the door in the terminal, without hardware."),
    "relay-guard": (
        "edge.cli.relay_guard:relay_guard",
        "Run the process that switches the relay (a service).",
    ),
}

SECTIONS = {
    "Try and set up": ("demo", "simulate", "models", "config", "run", "doctor", "clock"),
    "People and their ways in": ("enrol", "consent", "pin", "card", "pass", "policy"),
    "What happened": ("events", "explain"),
    "The door's page": ("account", "panel"),
    "Keep and move": ("backup", "restore", "keys"),
    "Several doors and the property": ("provision", "hub", "sharing", "mqtt"),
    "Measure and develop": ("replay", "bench", "evaluate", "pad", "matcher", "reference", "relay-guard"),
}
"""The overview's headings; `hub` is there where the property's package is installed."""


@click.command(
    cls=LazyGroup,
    commands_table=COMMANDS,
    sections=SECTIONS,
    extensions=EXTENSIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="facegate")
def app() -> None:
    """Open the gate for residents who walk up to the camera.

    Example: facegate demo
    """


def main(words: list[str] | None = None) -> NoReturn:
    """Run the command line and leave: an error is one line that begins with `facegate:`, and an exit code.

    `words` is what was typed after `facegate`; None reads it from the process.
    """
    try:
        sys.exit(_run(words))
    except click.UsageError as error:
        if error.ctx is not None and error.message != error.ctx.get_help():
            click.echo(error.ctx.get_usage(), err=True)
            _stop(_with_way_out(error.format_message(), error.ctx), error.exit_code)
        click.echo(error.message, err=True)  # a group without a command: click says how it is used
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _stop(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _stop("stopped", EXIT_FAILED)
    except BrokenPipeError:  # `facegate events | head`: nobody reads on
        _let_go_of_output()
        sys.exit(EXIT_FAILED)
    except ConfigError as error:
        # A file that a failing card does not give is no mistake in it: systemd has to try again.
        _stop(str(error), EXIT_FAILED if may_pass(error) else EXIT_CONFIG)
    except FacegateError as error:
        _stop(str(error), EXIT_FAILED)
    except (OSError, ModuleNotFoundError, UnicodeEncodeError) as error:
        if (line := _line_of(error, sys.argv[1:] if words is None else words)) is None:
            raise
        _stop(line, EXIT_FAILED)


def _run(words: list[str] | None) -> Any:
    """Return the exit code of a command whose output is written out. Raises as commands do."""
    code = app.main(words, prog_name="facegate", standalone_mode=False)
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


def _beyond_utf8(words: list[str]) -> str:
    """Return the first word that is no UTF-8, its odd bytes by their numbers; "" where all are."""
    shown = (word.encode("utf-8", "backslashreplace").decode() for word in words)
    return next((seen for seen, word in zip(shown, words, strict=True) if seen != word), "")


def _line_of(error: OSError | ModuleNotFoundError | UnicodeEncodeError, words: list[str]) -> str | None:
    """Return what is said of this error; None where it is a defect of the program: its place is wanted."""
    if isinstance(error, UnicodeEncodeError):
        # A terminal of another encoding typed 3栋1203; as a file's name such bytes are as good as any.
        odd = _beyond_utf8(words)
        return f"{odd}: this is not UTF-8; set the terminal to UTF-8 and type it again" if odd else None
    if isinstance(error, ModuleNotFoundError):
        return what_is_missing(error.name)
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if error.errno not in NOT_WRITTEN:
        return None
    # No file is named by what writes to one that is open: the output (`facegate events > file`), or a report.
    _let_go_of_output()
    return f"what is told cannot be written: {error.strerror}"


def _let_go_of_output() -> None:
    """Send to nowhere what could not be told: the interpreter would try it again when it ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _with_way_out(words: str, ctx: click.Context) -> str:
    """Return what was wrong with what was typed, and where to look unless the right word is named already."""
    if "did you mean" in words.lower() or "known here" in words:
        return words
    return f"{words.rstrip('.')}; see {ctx.command_path} --help"


def _stop(words: str, code: int) -> NoReturn:
    click.echo(f"facegate: {words}", err=True)
    sys.exit(code)
