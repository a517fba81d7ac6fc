"""What every test run watches: nothing personal and nothing undeclared passes a test's broker."""

import sys

import pytest

BY_CHANCE = "as long as a vector"
"""Nonsense of random bytes may have that length; what is told by content must not pass even then."""


class Nothing:
    """The ledger of a run without a broker."""

    brokers = 0
    personal = nonconforming = ()


def _ledger():
    wire = sys.modules.get("tests.sync.wire")  # imported with the first broker: the others are spared it
    return wire.LEDGER if wire else Nothing


SEEN = pytest.StashKey[tuple[int, int]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Note what was found before this test."""
    ledger = _ledger()
    item.stash[SEEN] = len(ledger.personal), len(ledger.nonconforming)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """Fail a test whose broker carried what must not travel, once its brokers have stopped."""
    yield
    ledger, (personal, nonconforming) = _ledger(), item.stash[SEEN]
    if ledger.brokers and item.get_closest_marker("nonsense"):
        del ledger.nonconforming[nonconforming:]
        ledger.personal[personal:] = [line for line in ledger.personal[personal:] if BY_CHANCE not in line]
    new = [*ledger.personal[personal:], *ledger.nonconforming[nonconforming:]]
    if new:
        pytest.fail("on the wire:\n" + "\n".join(new[:20]), pytrace=False)


def pytest_sessionfinish(session):
    """Fail the run for what a broker carried that outlived its test."""
    ledger = _ledger()
    if (ledger.personal or ledger.nonconforming) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Say how much was read, and repeat what was found."""
    ledger = _ledger()
    if ledger.brokers:
        terminalreporter.write_line(
            f"wire: {ledger.messages} messages ({ledger.payload_bytes} bytes) on {ledger.brokers} brokers "
            f"read; {len(ledger.personal)} personal, {len(ledger.nonconforming)} undeclared"
        )
    for line in [*ledger.personal[:20], *ledger.nonconforming[:20]]:
        terminalreporter.write_line(f"wire: {line}")
