"""With a real broker and signer: a notice approved on the console stands on a display; doors bear witness."""

from __future__ import annotations

import time

import pytest
from click.testing import CliRunner

from edge.broker.settings import BrokerSettings, Tls
from edge.cli import app
from edge.runtime.clock import SystemClock
from edge.service.property.notices import HeldNotices
from edge.site.provision import Site, load_trusted_keys
from edge.sync.notices import NoticeFollower
from facegate_hub.database_urls import database_url
from facegate_hub.notices import witnessed
from facegate_hub.service import Hub
from tests.community.compound import new_compound
from tests.community.web import staff
from tests.loopback import free_port
from tests.sync.broker import Broker
from tests.sync.doors import Door, Eager
from tests.waiting import wait_until


class DoorWithDisplay:
    """A door that keeps its journal and what its display is to say."""

    def __init__(self, folder, site, port):
        folder.mkdir()
        bundle, clock = site / "doors" / "front", SystemClock()
        tls = Tls(bundle / "ca.crt", bundle / "door.crt", bundle / "door.key")
        settings = BrokerSettings("127.0.0.1", "front", port, tls=tls)
        keys = load_trusted_keys(bundle / "trusted-keys.json")
        self.held = HeldNotices(folder / "notices.json", "front", clock, lambda: "synced")
        self.clerk = NoticeFollower(settings, keys, self.held, self.append, clock)
        self.door = Door(folder, port, device="front", others=[self.clerk], tls=tls)

    def append(self, draft):
        return self.door.journal.append(draft)

    def __enter__(self):
        self.clerk.start()
        self.door.__enter__()
        return self

    def __exit__(self, *exception):
        self.door.__exit__(*exception)
        self.clerk.stop()


@pytest.mark.broker
def test_from_the_console_to_the_display_and_back_into_the_books_witness(tmp_path):
    site, port = tmp_path / "site", free_port()
    Site.create(site, "Test", "127.0.0.1", port).add_door("front")
    compound = new_compound(site)
    compound.clock.step_wall(time.time() - compound.book.now())
    with Broker.of_site(site, port):
        hub = Hub(site, database_url(site), rng=Eager())
        hub.start()
        try:
            with DoorWithDisplay(tmp_path / "front", site, port) as front:
                dora, mona = staff(compound, "dora"), staff(compound, "mona")
                dora.get("/notices")
                end = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 3 * 86_400))
                dora.send("/notices", title_zh="停水", title_en="No water", ends=end)
                mona.get("/notices")
                mona.send("/notices/1", do="approve")
                wait_until(lambda: front.held.shown() == [{"zh": "停水", "en": "No water"}])
                wait_until(lambda: witnessed(hub.engine, "front"))
                mona.get("/notices")
                mona.send("/notices/1", do="end")
                wait_until(lambda: front.held.shown() == [])
        finally:
            hub.stop()
    done = CliRunner().invoke(app, ["hub", "--site", str(site), "community", "witness"])
    assert done.exit_code == 0, done.output
    assert "0 problems" in done.output
