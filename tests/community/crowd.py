"""Residents open a notice all at once: how long they wait, and what the page takes.

python -m tests.community.crowd --residents 5000 --rate 100 --seconds 60

The page runs as its own process, over TLS; each resident is logged in and opens the notice, over connections
that are kept. What it costs is told with the machine's load, since the client runs beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx
import sqlalchemy as sa

from edge.runtime.clock import SystemClock
from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.book import SYSTEM, Doer
from facegate_hub.community.devices import begin_device
from facegate_hub.community.notice_desk import NoticeDesk, NoticeDraft
from facegate_hub.community.notices import NoticeLevel
from facegate_hub.community.people import NewPerson, TieKind, add_person
from facegate_hub.community.schema import READS
from facegate_hub.page.app import COOKIE
from tests.community.compound import new_compound
from tests.community.served import side
from tests.present import present

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTIONS = 12


def filled(folder: Path, residents: int) -> tuple[list[str], int]:
    """Return the cookies of residents of a compound, and the number of a notice for all of them."""
    compound = new_compound(folder)
    compound.book.clock = SystemClock()
    accounts, notices = StaffAccounts(compound.staff), NoticeDesk(compound.staff)
    tokens = []
    with compound.book.writing() as writing:  # all in one commit: nobody waits for the disk 5,000 times
        for number in range(residents):
            somebody = NewPerson(f"p{number}", "3-1203", TieKind.FAMILY)
            person = add_person(writing, SYSTEM, somebody)
            tokens.append(begin_device(writing, Doer("person", person), "phone"))
    now = compound.book.now()
    draft = NoticeDraft(NoticeLevel.URGENT, "停水", "No water", "From nine.", now, now + 86_400)
    number = notices.draft(present(accounts.one("dora")), draft)
    notices.approve(present(accounts.one("mona")), number)
    compound.book.engine.dispose()
    return tokens, number


async def crowd(
    url: str,
    tokens: list[str],
    number: int,
    pace: tuple[float, float],
    goes_on: Callable[[], bool] = lambda: True,
) -> list[float]:
    """Open the notice, one resident after the other; return seconds, infinite for a failure.

    `pace` is how many in a second and for how many seconds at most.
    """
    rate, seconds = pace
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    took: list[float] = []

    async def one(browser: httpx.AsyncClient, token: str) -> None:
        began = time.perf_counter()
        try:
            answer = await browser.get(f"/notices/{number}", headers={"cookie": f"{COOKIE}={token}"})
            took.append(time.perf_counter() - began if answer.status_code == 200 else float("inf"))
        except httpx.HTTPError:
            took.append(float("inf"))

    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(base_url=url, verify=context, limits=limits, timeout=60) as browser:
        tasks, began = [], time.perf_counter()
        for count in range(int(rate * seconds)):
            if not goes_on():
                break
            await asyncio.sleep(max(0.0, began + count / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(one(browser, tokens[count % len(tokens)])))
        await asyncio.gather(*tasks)
    return took


def children(process: int) -> list[int]:
    """Return the processes that one has started."""
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def cost_of(processes: list[int]) -> tuple[list[int], float]:
    """Return what processes hold (MB each), and the seconds of CPU that all of them took."""
    memory, ticks = [], 0
    for one in processes:
        lines = Path(f"/proc/{one}/status").read_text().splitlines()
        memory.append(next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS")))
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return memory, ticks / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--residents", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokens, number = filled(folder, wish.residents)
        page = side("page", folder)
        page.start()
        try:
            began = time.perf_counter()
            took = sorted(asyncio.run(crowd(page.url, tokens, number, (wish.rate, wish.seconds))))
            whole = time.perf_counter() - began
            assert page.process is not None
            memory, spent = cost_of([page.process.pid, *children(page.process.pid)])
        finally:
            page.stop()
        engine = sa.create_engine(f"sqlite:///{folder / 'community' / 'community.db'}")
        with engine.connect() as connection:
            reads = connection.execute(sa.select(sa.func.count()).select_from(READS)).scalar_one()
        engine.dispose()
    failed = sum(one == float("inf") for one in took)
    told = {share: took[min(len(took) - 1, int(share * len(took)))] for share in (0.5, 0.95, 0.99)}
    sys.stdout.write(f"{len(took)} opened in {whole:.0f} s ({len(took) / whole:.0f}/s), {failed} failed\n")
    sys.stdout.write("".join(f"{share:.0%} within {1000 * one:.0f} ms\n" for share, one in told.items()))
    sys.stdout.write(f"CPU {1000 * spent / len(took):.1f} ms each, memory {memory} MB, {reads} read marks\n")
    sys.stdout.write(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    wanted = min(len(took), wish.residents)
    return 0 if failed == 0 and reads == wanted else 1


if __name__ == "__main__":
    sys.exit(main())
