"""The site's key server and the doors that ask it: real TLS on loopback, cut cables, stolen doors."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPSConnection

import pytest
from click.testing import CliRunner

from edge.aside import simulated
from edge.cli import app
from edge.domain import Resident
from edge.errors import ConfigError, KeyUnavailable
from edge.site.provision import Site
from edge.store.contexts import context_of, record_context
from edge.store.key_source import KeySource, change_key, keyring_of, use_source
from edge.store.keyring import Keyring
from edge.store.remote_key import PATH, PAUSE_SECONDS, RemoteKey, remote_key
from edge.store.residents import ResidentStore
from edge.store.site_key import KeyFile
from facegate_hub.key_server import SEATS, KeyCabinet, KeyServer
from tests.fakes.deadlines import Deadlines
from tests.present import present
from tests.store.test_residents import template
from tests.waiting import PATIENCE

ANNA = context_of("anna", "m1")
NAME = record_context("name", "anna")


@pytest.fixture
def site(tmp_path):
    made = Site.create(tmp_path / "site", "Hill House", "127.0.0.1", 8883)
    for door in ("front", "back"):
        made.add_door(door)
    return tmp_path / "site"


@contextmanager
def serving(site, port=0):
    server = KeyServer(site, ("127.0.0.1", port), ["127.0.0.1"])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def identity(site, door="front"):
    bundle = site / "doors" / door
    return bundle / "ca.crt", bundle / "door.crt", bundle / "door.key"


def asking(site, port, door="front", **options):
    return RemoteKey(f"https://127.0.0.1:{port}", identity(site, door), **options)


def source(site, port, hours=0):
    authority, certificate, key = identity(site)
    return KeySource("site", f"https://127.0.0.1:{port}", authority, certificate, key, hours)


class Uptime:
    now = 1000.0

    def __call__(self):
        return self.now


def test_every_door_gets_a_key_of_its_own_and_always_the_same(site):
    with serving(site) as port:
        front = asking(site, port).keys()
        assert asking(site, port).keys() == front
        assert asking(site, port, "back").keys() != front
    kept = site / "keys" / "front.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_new_door_that_asks_twice_at_once_gets_one_key(site):
    with serving(site) as port, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: tuple(asking(site, port).keys()), range(12)))
    assert len(set(answers)) == 1


def test_a_stolen_door_gets_nothing_once_it_is_revoked(site, tmp_path):
    with serving(site) as port:
        paths = tuple(tmp_path / f"copy-{n}" for n in range(3))
        for path, original in zip(paths, identity(site), strict=True):
            path.write_bytes(original.read_bytes())
        assert RemoteKey(f"https://127.0.0.1:{port}", paths).keys()
        Site(site).revoke_door("front")
        with pytest.raises(KeyUnavailable):
            RemoteKey(f"https://127.0.0.1:{port}", paths).keys()


@pytest.mark.parametrize("shown", ["nothing", "another site", "the hub"])
def test_who_is_no_door_of_this_site_gets_nothing(site, tmp_path, shown):
    context = ssl.create_default_context(cafile=site / "ca" / "ca.crt")
    if shown == "another site":
        Site.create(tmp_path / "other", "Elsewhere", "127.0.0.1", 8883).add_door("front")
        context.load_cert_chain(*identity(tmp_path / "other")[1:])
    if shown == "the hub":
        context.load_cert_chain(site / "hub" / "hub.crt", site / "hub" / "hub.key")
    with serving(site) as port:
        connection = HTTPSConnection("127.0.0.1", port, context=context, timeout=PATIENCE)
        status = None
        with suppress(OSError), closing(connection):
            connection.request("GET", PATH)
            with connection.getresponse() as answer:
                status = answer.status
        assert status in (None, 404)
    assert not list((site / "keys").glob("*.json"))


def test_a_door_gives_its_trust_to_no_other_server(site, tmp_path):
    Site.create(tmp_path / "other", "Elsewhere", "127.0.0.1", 8883)
    with serving(tmp_path / "other") as port, pytest.raises(KeyUnavailable, match="certificate"):
        asking(site, port).keys()


def test_a_silent_client_holds_up_nobody(site):
    with serving(site) as port, socket.create_connection(("127.0.0.1", port)):
        assert asking(site, port).keys()


def test_a_flood_of_silent_connections_takes_few_threads_and_keeps_no_door_out(site):
    with serving(site) as port, ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert asking(site, port).keys()
        talking = [one for one in threading.enumerate() if "process_request_thread" in one.name]
        assert len(talking) <= SEATS.for_device + 16, "each was a thread for ten seconds"


def test_a_face_waits_for_the_server_and_names_do_not(site, tmp_path):
    """The whole way: enrolled, power cut, network dead, network back. The card holds no key of a face."""
    data = tmp_path / "data"
    data.mkdir()
    with serving(site) as port:
        use_source(data, source(site, port), {})
        with closing(keyring_of(data, {})) as ring:
            face, name = ring.seal(b"face", ANNA), ring.seal(b"Anna", NAME)
            assert ring.open(face, ANNA) == b"face"
    key = KeyCabinet(site).keys("front")[0]
    assert not any(key in path.read_bytes() for path in data.rglob("*"))

    remote_key.cache_clear()  # as in a process of another boot
    with closing(keyring_of(data, {})) as ring:
        assert ring.open(name, NAME) == b"Anna", "who may enter is known without any network"
        with pytest.raises(KeyUnavailable, match="PIN and card do not"):
            ring.open(face, ANNA)
    remote_key.cache_clear()  # another process: this one would wait some seconds before it asks again
    with serving(site, port), closing(keyring_of(data, {})) as ring:
        assert ring.open(face, ANNA) == b"face"


def test_a_server_that_does_not_answer_is_not_asked_for_every_face(site):
    uptime = Uptime()
    key = asking(site, 9, uptime=uptime)
    with pytest.raises(KeyUnavailable):
        key.keys()
    with serving(site) as port:
        key._server = f"https://127.0.0.1:{port}"
        with pytest.raises(KeyUnavailable):
            key.keys()
        uptime.now += PAUSE_SECONDS
        assert key.keys()


def test_a_door_that_opens_its_keyring_in_many_places_waits_for_a_dead_server_once(site, tmp_path):
    uptime = Uptime()
    asked = []

    class Counting(RemoteKey):
        def _fetch(self):
            asked.append(uptime.now)
            raise OSError("no route to host")

    key = Counting("https://192.0.2.1:9", identity(site), uptime=uptime)
    rings = [Keyring(tmp_path / "keys.db", key, KeyFile(tmp_path / "local.key")) for _ in range(4)]
    for ring in rings:
        assert ring.seal(b"Anna", NAME)
        ring.close()
    assert asked == [1000.0]


def test_a_server_that_accepts_and_says_nothing_holds_up_no_thread_and_is_heard_in_the_end(site):
    is_well = threading.Event()
    with simulated(Deadlines(is_well)), socket.create_server(("127.0.0.1", 0)) as silent:
        waiting = RemoteKey(f"https://127.0.0.1:{silent.getsockname()[1]}", identity(site))
        for _ in range(2):
            with pytest.raises(KeyUnavailable, match="no answer yet"):
                waiting.keys()
        assert [one.name for one in threading.enumerate()].count("site-key") == 1, "asked once"
    with serving(site) as port:
        waiting._server = f"https://127.0.0.1:{port}"
        with pytest.raises(KeyUnavailable, match="no key"):
            waiting.keys()
        waiting._uptime = lambda: 1e12
        assert waiting.keys()


def test_a_restarted_service_needs_no_server_for_some_hours(site, tmp_path):
    uptime, cache = Uptime(), tmp_path / "run" / "site-key"
    cache.parent.mkdir()
    with serving(site) as port:
        keys = asking(site, port, cache=cache, cache_seconds=3600, uptime=uptime).keys()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    uptime.now += 3599
    assert asking(site, 9, cache=cache, cache_seconds=3600, uptime=uptime).keys() == keys
    uptime.now += 2
    with pytest.raises(KeyUnavailable):
        asking(site, 9, cache=cache, cache_seconds=3600, uptime=uptime).keys()
    uptime.now = 5.0  # another boot: the clock of the former one says nothing
    with pytest.raises(KeyUnavailable):
        asking(site, 9, cache=cache, cache_seconds=3600, uptime=uptime).keys()


def test_the_sites_key_changes_and_a_running_door_goes_on(site, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    with serving(site) as port:
        use_source(data, source(site, port), {})
        with closing(ResidentStore(data / "residents.db", keyring_of(data, {}))) as running:
            running.put(Resident("anna", "Anna"), [template("anna", 1)])
            done = CliRunner().invoke(app, ["hub", "--site", str(site), "keys", "rotate", "front"])
            assert done.exit_code == 0, done.output
            assert change_key(data, {}) == 1
            assert len(running.templates_of("anna")) == 1
        KeyCabinet(site).change("front")  # the first key is forgotten now
        with closing(ResidentStore(data / "residents.db", keyring_of(data, {}))) as store:
            assert (len(store.templates_of("anna")), present(store.get("anna")).name) == (1, "Anna")


def test_keys_that_cannot_be_read_are_never_replaced(site):
    with serving(site) as port:
        asking(site, port).keys()
        (site / "keys" / "front.json").write_text("{")
        with pytest.raises(KeyUnavailable, match="503"):
            asking(site, port).keys()
    assert (site / "keys" / "front.json").read_text() == "{"
    with pytest.raises(ConfigError, match="restore the file"):
        KeyCabinet(site).keys("front")
    with pytest.raises(ConfigError, match="no such name"):
        KeyCabinet(site).keys("../hub/signing")


def test_the_authority_is_needed_only_for_a_certificate_that_names_more(site, tmp_path):
    """Kept offline, as `provision` advises; nothing is lost by asking for what cannot be made."""
    KeyServer(site, ("127.0.0.1", 0), ["keys.example.lan"]).server_close()
    (site / "ca").rename(tmp_path / "safe")
    before = {path.name: path.read_bytes() for path in (site / "keys").iterdir() if path.is_file()}

    KeyServer(site, ("127.0.0.1", 0), ["keys.example.lan"]).server_close()
    with pytest.raises(ConfigError, match=r"does not name other\.lan.*authority"):
        KeyServer(site, ("127.0.0.1", 0), ["other.lan"])
    KeyServer(site, ("127.0.0.1", 0), []).server_close()

    assert {path.name: path.read_bytes() for path in (site / "keys").iterdir() if path.is_file()} == before


@pytest.mark.parametrize("name", ["server.crt", "server.key"])
def test_a_damaged_certificate_is_made_anew(site, name):
    KeyServer(site, ("127.0.0.1", 0), []).server_close()
    (site / "keys" / name).write_bytes(b"")
    with serving(site) as port:
        assert asking(site, port).keys()


def test_a_door_that_was_stolen_and_provisioned_again_gets_a_new_key_and_still_opens_its_backup(site):
    with serving(site) as port:
        (old,) = asking(site, port).keys()
        made = Site(site)
        made.revoke_door("front")
        made.add_door("front")
        first, second = asking(site, port).keys()
    assert second == old
    assert first != old


def test_a_renewed_certificate_changes_no_key(site):
    cabinet = KeyCabinet(site)
    assert cabinet.keys("front", 1) == cabinet.keys("front", 2) == cabinet.keys("front")


def test_a_key_that_is_handed_out_while_another_is_made_is_kept(site):
    """The server and the command are two processes: whoever wrote last forgot the other one's key."""
    for door in (f"door-{number}" for number in range(40)):
        ready = threading.Barrier(2)

        def first_key(door=door, ready=ready):
            ready.wait(PATIENCE)
            return KeyCabinet(site).keys(door)[0]

        def another(door=door, ready=ready):
            ready.wait(PATIENCE)
            KeyCabinet(site).change(door)

        with ThreadPoolExecutor(2) as both:
            handed, _ = both.submit(first_key), both.submit(another)
        assert handed.result() in KeyCabinet(site).keys(door)
