"""The guard: one caller, a capped pulse, and at rest after anything else."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import LockError
from edge.relay.guard import MAX_PACKET_BYTES, SILENCE_SECONDS, Nonsense, Pulse
from tests.relay.relay_lines import (
    GuardProcess,
    Lines,
    RecordingLine,
    ask,
    guard_command,
    order,
    write_config,
)
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from pathlib import Path


def at(seconds: float, sent: float) -> bytes:
    return f"open {seconds!r} {sent!r}".encode()


# The rule, without a process.


def test_an_order_energises_and_time_brings_it_to_rest() -> None:
    line = RecordingLine()
    pulse = Pulse(line, cap_seconds=30)
    assert pulse.obey(at(5, 100.0), 100.1) == b"open"
    assert pulse.until == pytest.approx(105.1)
    pulse.expire(105.0)
    assert line.energised
    pulse.expire(105.2)
    assert line.moves == ["energise", "rest"]
    assert pulse.obey(b"beat", 105.3) == b"rest"


def test_the_cap_is_the_guards_own() -> None:
    pulse = Pulse(RecordingLine(), cap_seconds=7)
    pulse.obey(at(3600, 10.0), 10.0)
    assert pulse.until == 17.0


def test_a_shorter_order_never_cuts_a_longer_one_off_and_energises_once() -> None:
    line = RecordingLine()
    pulse = Pulse(line, cap_seconds=30)
    pulse.obey(at(15, 10.0), 10.0)
    pulse.obey(at(5, 11.0), 11.0)
    assert pulse.until == 25.0
    assert line.moves == ["energise"]


def test_rest_is_obeyed_at_once() -> None:
    line = RecordingLine()
    pulse = Pulse(line, cap_seconds=30)
    pulse.obey(at(15, 10.0), 10.0)
    assert pulse.obey(b"rest", 10.1) == b"rest"
    assert line.moves == ["energise", "rest"]


@pytest.mark.parametrize("sent", [9.4, 10.6, 0.0])
def test_an_order_from_the_past_or_the_future_opens_nothing(sent: float) -> None:
    line = RecordingLine()
    assert Pulse(line, cap_seconds=30).obey(at(5, sent), 10.0) == b"stale"
    assert line.moves == []


NONSENSE = [
    b"open",
    b"open 5",
    b"open 5 1 1",
    b"open nan 10",
    b"open inf 10",
    b"open 5 nan",
    b"open -1 10",
    b"open 0 10",
    b"open  5 10",
    b"OPEN 5 10",
    b"beat now",
    b"rest 5",
    b"\x00",
    b"beat\n",
    b"open 5 10" + b" " * MAX_PACKET_BYTES,
    b"\xff" * 65,
]


@pytest.mark.parametrize("packet", NONSENSE)
def test_nonsense_is_named_and_moves_nothing(packet: bytes) -> None:
    line = RecordingLine()
    with pytest.raises(Nonsense):
        Pulse(line, cap_seconds=30).obey(packet, 10.0)
    assert line.moves == []


@given(packet=st.binary(max_size=80))
@settings(deadline=None)  # a busy machine is no failure
def test_no_packet_raises_anything_but_nonsense(packet: bytes) -> None:
    line = RecordingLine()
    try:
        Pulse(line, cap_seconds=30).obey(packet, 10.0)
    except Nonsense:
        assert line.moves == []


@pytest.mark.parametrize("cap", [0, -1, float("nan"), float("inf")])
def test_an_absurd_cap_is_refused(cap: float) -> None:
    with pytest.raises(LockError, match="must be a positive number"):
        Pulse(RecordingLine(), cap)


STEPS = st.lists(
    st.tuples(
        st.floats(0, 20),  # seconds since the step before
        st.sampled_from(["open", "rest", "beat", "late"]),
        st.floats(0.1, 100),
    ),
    max_size=40,
)


@given(steps=STEPS, cap=st.floats(0.5, 40))
@settings(deadline=None)  # a busy machine is no failure
def test_energised_means_an_order_younger_than_the_cap(
    steps: list[tuple[float, str, float]], cap: float
) -> None:
    """Against the plain reading of the rule: the latest end of all fresh orders since the last rest."""
    line = RecordingLine()
    pulse = Pulse(line, cap)
    now, ends = 1000.0, 0.0
    for passed, word, seconds in steps:
        now += passed
        pulse.expire(now)
        if word == "open":
            pulse.obey(at(seconds, now), now)
            ends = max(ends if ends > now else 0.0, now + min(seconds, cap))
        elif word == "late":
            pulse.obey(at(seconds, now - 0.6), now)
        else:
            pulse.obey(word.encode(), now)
            ends = 0.0 if word == "rest" else ends
        assert line.energised == (now < ends) == (pulse.until is not None)


# The process, on lines that outlive it.


@pytest.fixture(params=["stand_in", "stand_in_gpiod"])
def lines(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """The lines of a machine with lgpio, and of one that has only gpiod."""
    monkeypatch.setenv("FACEGATE_TEST_STAND_IN", request.param)
    return Lines(tmp_path, active_high=False)


def test_start_and_stop_move_nothing(tmp_path: Path, lines: Lines) -> None:
    for _ in range(3):
        with GuardProcess(tmp_path, lines):
            pass
    assert lines.pulses() == []
    assert len(lines.levels()) >= 3


def test_an_order_opens_for_its_time(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard, guard.connect() as caller:
        assert ask(caller, order(0.3)) == b"open"
        while ask(caller, b"beat") == b"open":
            time.sleep(0.02)
        (pulse,) = lines.pulses()
        assert pulse.end is not None
        assert pulse.end - pulse.start >= 0.29


def test_the_cap_holds_against_the_caller(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines, cap_seconds=1) as guard, guard.connect() as caller:
        assert ask(caller, order(3600)) == b"open"
        while ask(caller, b"beat") == b"open":
            time.sleep(0.02)
        assert not lines.energised


def test_a_caller_that_goes_leaves_the_relay_at_rest(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard:
        with guard.connect() as caller:
            assert ask(caller, order(20)) == b"open"
        wait_until(lambda: not lines.energised, "at rest after the caller has gone")
        assert "the caller has gone" in guard.stderr()


def test_a_silent_caller_leaves_the_relay_at_rest(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard, guard.connect() as caller:
        assert ask(caller, order(20)) == b"open"
        wait_until(lambda: not lines.energised, "at rest after silence")
        (pulse,) = lines.pulses()
        assert pulse.end is not None
        assert pulse.end - pulse.start >= SILENCE_SECONDS
        assert caller.recv(64) == b""


def test_a_caller_that_never_speaks_makes_room(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard, guard.connect() as silent:
        assert silent.recv(64) == b""
        with guard.connect() as next_caller:
            assert ask(next_caller, b"beat") == b"rest"


def test_a_second_caller_is_refused_and_the_first_undisturbed(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard, guard.connect() as caller:
        assert ask(caller, order(20)) == b"open"
        with guard.connect() as second:
            assert second.recv(64) == b"busy"
            assert second.recv(64) == b""
        assert ask(caller, b"beat") == b"open"
        assert lines.energised


@pytest.mark.parametrize("packet", [b"open please", b"\x00" * 64, b"x" * 5000])
def test_nonsense_brings_the_relay_to_rest_and_ends_the_call(
    tmp_path: Path, lines: Lines, packet: bytes
) -> None:
    with GuardProcess(tmp_path, lines) as guard, guard.connect() as caller:
        assert ask(caller, order(20)) == b"open"
        caller.send(packet)
        assert caller.recv(64) == b""
        assert not lines.energised


def test_a_caller_that_reads_no_answers_cannot_block_the_guard(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard, guard.connect() as deaf:
        deaf.send(order(20))
        with contextlib.suppress(OSError):  # the guard hangs up while we talk
            while True:
                deaf.send(b"beat")
        assert not lines.energised
        with guard.connect() as caller:
            assert ask(caller, b"beat") == b"rest"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_stop_while_energised_it_stops_at_rest(
    tmp_path: Path, lines: Lines, number: signal.Signals
) -> None:
    with GuardProcess(tmp_path, lines) as guard, guard.connect() as caller:
        assert ask(caller, order(20)) == b"open"
        guard.process.send_signal(number)
        assert guard.process.wait(PATIENCE) == 0
        assert not lines.energised


def test_an_order_that_waited_for_a_stopped_guard_opens_nothing(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard, guard.connect() as caller:
        assert ask(caller, b"beat") == b"rest"
        guard.process.send_signal(signal.SIGSTOP)
        caller.send(order(5))
        time.sleep(0.8)  # the real thing under test: a process that stood still
        guard.process.send_signal(signal.SIGCONT)
        assert caller.recv(64) == b"stale"
        assert lines.pulses() == []


def test_a_second_guard_touches_nothing(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard:
        before = len(lines.calls())
        second = subprocess.run(
            guard_command(guard.config),
            check=False,
            env=lines.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert second.returncode == 1
        assert "another relay guard is running" in second.stderr
        assert len(lines.calls()) == before


def test_rest_puts_a_line_that_was_left_energised_at_rest(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard, guard.connect() as caller:
        assert ask(caller, order(20)) == b"open"
        guard.process.kill()
        guard.process.wait(PATIENCE)
        assert lines.energised, "the kernel keeps it: that is why the unit has ExecStopPost"
        rest = guard_command(guard.config, "--rest")
        subprocess.run(rest, env=lines.environment(), check=True, timeout=PATIENCE)
        assert not lines.energised


def test_what_systemd_runs_after_the_guard_loads_next_to_nothing(tmp_path: Path, lines: Lines) -> None:
    config = write_config(tmp_path, active_high=False)
    command = [sys.executable, "-X", "importtime", "-m", "edge.relay.rest", str(config)]
    done = subprocess.run(
        command, env=lines.environment(), capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    calls = [(call.name, call.arguments) for call in lines.calls()]
    assert calls[:2] == [("gpiochip_open", (0,)), ("gpio_claim_output", (17, 1))]
    assert {name for name, _ in calls[2:]} <= {"gpio_free", "gpiochip_close"}
    assert "lgpio" in done.stderr
    for heavy in ("gpiozero", "click", "numpy", "pydantic", "importlib.metadata"):
        assert f" {heavy}\n" not in done.stderr


def test_a_line_that_cannot_be_put_at_rest_is_said(tmp_path: Path, lines: Lines) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace("gpio_chip = 0", "gpio_chip = 5"))
    command = [sys.executable, "-m", "edge.relay.rest", str(config)]
    done = subprocess.run(
        command, env=lines.environment(), capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert (done.returncode, lines.calls()) == (1, [])
    assert "GPIO17 could not be put at rest: can not open gpiochip" in done.stderr


def test_the_socket_is_for_the_user_and_the_group_alone(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard:
        assert guard.socket.stat().st_mode & 0o777 == 0o660


def test_the_guard_loads_no_image_code_no_network_code_and_no_configuration_framework() -> None:
    code = "import edge.cli.relay_guard, edge.relay.line, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"numpy", "cv2", "onnxruntime", "paho", "pydantic", "sqlite3", "ssl"})
    assert "edge.domain" not in done.stdout.split()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("pin = 17\n", ""), "lock.pin must be set"),
        (("pin = 17", 'pin = "17"'), "lock.pin = '17': must be int"),
        (("active_high = false", "active_high = 0"), "lock.active_high = 0: must be bool"),
        (("30.0", "600"), "lock.max_unlock_seconds = 600: must be 1 to 60"),
        (("30.0", "true"), "lock.max_unlock_seconds = True: must be 1 to 60"),
        (("[lock]", "lock = 3\n[look]"), "must be a table"),
        (('"fail-secure"', '["fail-secure"]'), "must be str"),
        (('"gpio"', '"dry-run"'), "needs no guard"),
        (("[lock]", "[look]"), "no table [lock]"),
        (("[lock]", "lock]"), "no table [lock]"),
        (("fail-secure", "fail"), "must be fail-secure or fail-safe"),
        (("gpio_chip = 0", 'pin_factory = "pigpio"'), "must be lgpio or mock"),
    ],
)
def test_a_broken_configuration_is_exit_78_and_moves_nothing(
    tmp_path: Path, lines: Lines, change: tuple[str, str], message: str
) -> None:
    config = write_config(tmp_path, active_high=False)
    config.write_text(config.read_text().replace(*change))
    done = subprocess.run(
        guard_command(config),
        check=False,
        env=lines.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert message in done.stderr
    assert done.returncode == 78
    assert lines.calls() == []


def test_a_missing_configuration_is_exit_78(tmp_path: Path, lines: Lines) -> None:
    done = subprocess.run(
        guard_command(tmp_path / "none.toml"),
        check=False,
        env=lines.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 78
    assert "no such file" in done.stderr
