"""The relay's line: claimed at rest in one call, whatever level rest is."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edge.errors import ConfigError, LockError
from edge.relay.line import (
    RelayLine,
    Wiring,
    lgpio_factory,
    mock_factory,
    strict_gpiod_warning,
)
from tests.relay.relay_lines import PIN, Lines
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

CLAIM_AND_MOVE = """
from edge.relay.line import RelayLine, Wiring, lgpio_factory
line = RelayLine.claim({pin}, Wiring("fail-secure", {active_high}), lgpio_factory(0))
line.energise()
line.rest()
line.close()
line.close()
"""


@pytest.fixture(autouse=True, params=["stand_in", "stand_in_gpiod"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine with lgpio, and one that has only gpiod: the same lines must be moved."""
    monkeypatch.setenv("FACEGATE_TEST_STAND_IN", request.param)
    return str(request.param)


def run(code: str, lines: Lines, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=lines.environment(**extra),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("active_high", [True, False])
def test_the_line_is_claimed_at_rest_in_one_call_and_left_at_rest(tmp_path: Path, active_high: bool) -> None:
    lines = Lines(tmp_path, active_high=active_high)
    done = run(CLAIM_AND_MOVE.format(pin=PIN, active_high=active_high), lines)
    assert done.stderr == ""
    rest, energised = (0, 1) if active_high else (1, 0)
    calls = [(c.name, c.arguments) for c in lines.calls()]
    assert calls == [
        ("gpiochip_open", (0,)),
        ("gpio_claim_output", (PIN, rest)),
        ("gpio_write", (PIN, energised)),
        ("gpio_write", (PIN, rest)),
        ("gpio_write", (PIN, rest)),
    ]


@pytest.mark.parametrize("library", ["stand_in"], indirect=True)
def test_stock_gpiozero_blips_where_ours_does_not(tmp_path: Path) -> None:
    """Why `lgpio_pin` exists; when this fails, gpiozero pull request 1177 has arrived."""
    lines = Lines(tmp_path, active_high=False)
    stock = """
from gpiozero import OutputDevice
from gpiozero.pins.lgpio import LGPIOFactory
class Anywhere(LGPIOFactory):
    def _get_revision(self):
        return 0xC03111
OutputDevice(17, active_high=False, initial_value=False, pin_factory=Anywhere(chip=0)).close()
"""
    run(stock, lines)
    assert len(lines.pulses()) == 1
    ours = Lines(tmp_path, active_high=False)
    ours.log.write_text("")
    run(CLAIM_AND_MOVE.replace("line.energise()\n", "").format(pin=PIN, active_high=False), ours)
    assert ours.pulses() == []


@pytest.mark.parametrize("active_high", [True, False])
def test_the_mock_records_the_same_story(active_high: bool) -> None:
    factory = mock_factory({})
    line = RelayLine.claim(PIN, Wiring("fail-secure", active_high), factory)
    pin = factory.pin(PIN)
    line.energise()
    line.rest()
    assert [state.state for state in pin.states] == [not active_high, active_high, not active_high]


def test_the_chip_is_found_by_its_label(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    (tmp_path / "gpiochip0").touch()
    code = f"""
from pathlib import Path
from edge.relay.chip import header_chip
print(header_chip(Path({str(tmp_path)!r})))
"""
    assert run(code, lines, FACEGATE_TEST_CHIP_LABEL="pinctrl-rp1").stdout == "0\n"
    refused = run(code, lines, FACEGATE_TEST_CHIP_LABEL="usb-expander")
    assert "no gpiochip of a Raspberry Pi header among {0: 'usb-expander'}" in refused.stderr


def test_a_line_in_use_is_refused_by_name(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    code = """
import fcntl, os, sys
held = os.open(os.environ["FACEGATE_TEST_LINES"] + ".17", os.O_RDWR | os.O_CREAT)
fcntl.flock(held, fcntl.LOCK_EX)
from edge.relay.line import RelayLine, Wiring, lgpio_factory
RelayLine.claim(17, Wiring("fail-secure", True), lgpio_factory(0))
"""
    assert "LockError: GPIO17 cannot be claimed: GPIO busy" in run(code, lines).stderr


HEARD_AFTER_A_FAILURE = """
import os, pathlib, threading
from edge.relay import kernel_lines as gpio
heard = threading.Event()
def fails(*_):
    raise ValueError("closed meanwhile")
handle = gpio.gpiochip_open(0)
takers = {{5: fails, 6: lambda *_: heard.set()}}
for number in takers:
    gpio.gpio_claim_alert(handle, number, gpio.FALLING_EDGE)
kept = [gpio.callback(handle, number, gpio.FALLING_EDGE, taker) for number, taker in takers.items()]
for number in takers:
    with pathlib.Path(os.environ["FACEGATE_TEST_LINES"]).open("a") as log:
        log.write(f"{{float(number)}} 0 set {{number}} 0\\n")
print(heard.wait({patience}))
"""


@pytest.mark.parametrize("library", ["stand_in_gpiod"], indirect=True)
def test_an_edge_that_nobody_takes_well_silences_no_other_line(tmp_path: Path) -> None:
    done = run(HEARD_AFTER_A_FAILURE.format(patience=PATIENCE / 2), Lines(tmp_path))
    assert done.stdout.strip() == "True", done.stderr


HEARD_AFTER_A_LOST_LINE = """
import os, pathlib, threading
from edge.relay import kernel_lines as gpio
heard = threading.Event()
tried = threading.Event()
def lost():
    tried.set()
    raise OSError(19, "No such device")
handle = gpio.gpiochip_open(0)
for number in (5, 6):
    gpio.gpio_claim_alert(handle, number, gpio.FALLING_EDGE)
gpio._chips[handle].lines[5].request.read_edge_events = lost
kept = [gpio.callback(handle, number, gpio.FALLING_EDGE, lambda *_: heard.set()) for number in (5, 6)]
def fall(number):
    with pathlib.Path(os.environ["FACEGATE_TEST_LINES"]).open("a") as log:
        log.write(f"{{float(number)}} 0 set {{number}} 0\\n")
fall(5)
tried.wait({patience})
fall(6)
print(heard.wait({patience}))
"""


@pytest.mark.parametrize("library", ["stand_in_gpiod"], indirect=True)
def test_a_line_that_can_no_longer_be_read_silences_no_other_one(tmp_path: Path) -> None:
    done = run(HEARD_AFTER_A_LOST_LINE.format(patience=5), Lines(tmp_path))
    assert done.stdout.strip() == "True", done.stderr


def test_a_missing_chip_is_refused_by_number(tmp_path: Path) -> None:
    code = "from edge.relay.line import lgpio_factory; lgpio_factory(3)"
    assert "gpiochip 3 cannot be opened" in run(code, Lines(tmp_path)).stderr


def test_importing_lgpio_litters_no_directory(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    code = "import os; os.chdir(os.environ['HERE']); import edge.relay.lgpio_pin; print(os.getcwd())"
    done = run(code, Lines(tmp_path), HERE=str(here))
    assert done.stdout.strip() == str(here)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(("lock", "contact"), [("fail-secure", "nc"), ("fail-safe", "no")])
def test_a_wiring_that_unlocks_at_rest_is_refused(lock: str, contact: str) -> None:
    with pytest.raises(ConfigError, match=r"unlocked whenever the relay rests.*move its wire to N[OC]"):
        Wiring(lock, True, contact)  # type: ignore[arg-type]


def test_an_unknown_wiring_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be fail-secure or fail-safe"):
        Wiring("magnetic", True)  # type: ignore[arg-type]


@pytest.mark.parametrize("active_high", [True, False])
@pytest.mark.parametrize(("lock", "without_power"), [("fail-secure", "locked"), ("fail-safe", "unlocked")])
def test_the_lock_type_says_what_a_power_cut_does_and_the_level_is_separate(
    lock: str, without_power: str, active_high: bool
) -> None:
    wiring = Wiring(lock, active_high)  # type: ignore[arg-type]
    assert wiring.resting_level is not active_high
    assert str(wiring).endswith(f"at rest locked, without power {without_power}")


def test_the_mock_is_refused_in_a_service_unless_asked_for() -> None:
    service = {"INVOCATION_ID": "6f1c"}
    with pytest.raises(ConfigError, match="the door would never open"):
        mock_factory(service)
    assert mock_factory(service, allow_in_service=True) is not None


def test_without_lgpio_the_message_says_how_to_get_it(tmp_path: Path) -> None:
    for name in ("lgpio", "gpiod"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}')")
    code = "from edge.relay.line import lgpio_factory; lgpio_factory(0)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "no GPIO library is installed" in done.stderr
    assert "pip install" in done.stderr or "pyproject.toml lists" in done.stderr


@pytest.mark.parametrize("driver", ["pinctrl_bcm2835", "pinctrl_rp1"])
def test_a_kernel_that_keeps_outputs_driven_is_warned_about(tmp_path: Path, driver: str) -> None:
    parameter = tmp_path / "module" / driver / "parameters" / "persist_gpio_outputs"
    parameter.parent.mkdir(parents=True)
    parameter.write_text("Y\n")
    warning = strict_gpiod_warning(tmp_path)
    assert warning is not None
    assert "dtparam=strict_gpiod" in warning
    parameter.write_text("N\n")
    assert strict_gpiod_warning(tmp_path) is None


def test_other_kernels_need_no_warning(tmp_path: Path) -> None:
    assert strict_gpiod_warning(tmp_path) is None


def test_a_lock_error_is_an_os_error() -> None:
    with pytest.raises(OSError, match="cannot be claimed"):
        RelayLine.claim(99, Wiring("fail-secure", True), mock_factory({}))
    assert issubclass(LockError, OSError)
    assert callable(lgpio_factory)
