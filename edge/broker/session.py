"""One connection to the broker, from CONNECT to its end. The only module that touches paho.

paho keeps unacknowledged messages in memory only, forgets them with the process, and sends them
again by itself after a reconnect. Neither suits a door, so a session uses a fresh paho client,
is driven by one thread, and ends for good when the connection does; our outbox is what lasts.
"""

from __future__ import annotations

import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.client import topic_matches_sub
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.broker.causes import CONNECT_SECONDS, cause_of, certificate_problem, reason_of
from edge.errors import SyncError
from edge.wire.messages import MAX_INCOMING_BYTES, Message
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paho.mqtt.reasoncodes import ReasonCode

    from edge.broker.settings import BrokerSettings, Tls
    from edge.words import Message as Told

DONE = "done"
PROOF = "proof"
SHARED = "$share/"
HEADER_BYTES = 64
"""More than the header and properties of any message of ours."""
FOR_ITS_SIZE = ("Packet too large", "Protocol error")
"""How a connection ends over a message that is longer than the broker takes and did not tell before: in the
broker's word; and in paho's, which has no name for 0x95 in a PUBACK, as mosquitto's `message_size_limit` says
it."""


class TooLarge(SyncError):
    """A message is longer than the broker takes; every broker ends the connection of who sends it."""


class BrokerSession:
    """A connection that works. For one thread, which shares nothing of it.

    paho's callbacks only put what happened into queues; `turn` hands them out. Raises
    `SyncError` from any method once the connection has ended; the message says why. `most_packet` is what
    this broker is known to take, where it does not tell.
    """

    _connack: tuple[ReasonCode, Properties | None] | None = None
    _most_packet = MAX_INCOMING_BYTES

    def __init__(
        self,
        settings: BrokerSettings,
        last_will: tuple[str, bytes],
        most_packet: int = MAX_INCOMING_BYTES,
    ) -> None:
        self._settings = settings
        self._most_packet = most_packet
        self._sizes: dict[int, int] = {}
        """Of what the broker has not confirmed, by message id."""
        self._is_refused = False
        self._ended: Told | None = None
        self.messages: deque[Message] = deque()
        self.taken: deque[tuple[int, str | None]] = deque()
        """PUBACKs: message id, and what the broker had against it (None: nothing)."""
        self._client = self._prepare(*last_will)
        try:
            self._connect()
            self._await_answer()
        except BaseException:
            self.close()
            raise

    @property
    def receive_maximum(self) -> int:
        """How many unacknowledged messages this broker accepts."""
        properties = self._connack[1] if self._connack else None
        # Where the broker says nothing (MQTT 5, 3.2.2.3.3).
        return int(getattr(properties, "ReceiveMaximum", 65535))

    @property
    def maximum_packet(self) -> int:
        """How many bytes one message should have here, its topic included; more would end the connection."""
        return min(self._most_packet, self._announced)

    @property
    def _announced(self) -> int:
        properties = self._connack[1] if self._connack else None
        # A broker that says nothing sets no bound, but no door or hub would be handed more than this.
        return int(getattr(properties, "MaximumPacketSize", MAX_INCOMING_BYTES))

    @property
    def refused_bytes(self) -> int:
        """How long the message was over which the connection ended, at most; 0: it ended over none."""
        return max(self._sizes.values(), default=0) if self._is_refused else 0

    def subscribe(self, topics: Iterable[str]) -> None:
        """Ask for these topics, QoS 1. A refusal shows only as silence: brokers grant too much."""
        for topic in topics:
            code, _ = self._client.subscribe(topic, qos=1)
            self._check(code)

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, done: int = 0, proof: str = ""
    ) -> int:
        """Hand one QoS 1 message to the connection and return its message id.

        `done` above 0 and a `proof` travel as user properties: up to where earlier events have arrived,
        and whose these are. Raises `TooLarge` for a message that the broker does not take; the connection
        is as good as before.
        """
        # A broker ends the connection of a client that sends more than it announced (MQTT 5, 3.2.2.3.6), and
        # the same message would be sent again on the next connection, without end.
        # What was only learnt from it is no bound here: an event that is longer alone is tried all the same.
        if (size := len(payload) + len(topic) + len(proof) + HEADER_BYTES) > self._announced:
            raise TooLarge(f"{topic}: {size} bytes; this broker takes {self._announced}")
        properties = None
        if said := [(DONE, str(done))] * (done > 0) + [(PROOF, proof)] * bool(proof):
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.UserProperty = said
        info = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        self._check(info.rc)
        self._sizes[info.mid] = size
        return info.mid

    def turn(self, seconds: float) -> None:
        """Wait up to `seconds` for the network and move bytes both ways."""
        # paho recommends loop_start. There an exception in a callback ends paho's thread without a word, and
        # reconnecting has no jitter. Called again and again, loop() does the same job on our thread.
        self._check(self._client.loop(seconds))
        if self._ended is not None:
            raise SyncError(self._why())

    def close(self) -> None:
        """Say goodbye if anybody listens, and free the socket. Safe to call twice."""
        # `loop` once, so that the goodbye leaves; what comes of it is nobody's business any more.
        self._client.disconnect()
        self._client.loop(0.0)
        if sock := self._client.socket():
            sock.close()

    def _prepare(self, will_topic: str, will: bytes) -> mqtt.Client:
        settings = self._settings
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=settings.device_id, protocol=mqtt.MQTTv5)
        client.connect_timeout = CONNECT_SECONDS
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.will_set(will_topic, will, qos=1, retain=True)
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password)
        if settings.tls is not None:
            client.tls_set_context(_context(settings.tls))
        return client

    def _connect(self) -> None:
        # The broker drops what is longer, instead of having us read it (MQTT 5, 3.1.2.11.4).
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = MAX_INCOMING_BYTES
        settings = self._settings
        try:
            self._client.connect(
                settings.host,
                settings.port,
                keepalive=settings.keepalive_seconds,
                # The broker keeps nothing for us while we are away: events come from our outbox, and a
                # command that waited there would have no nonce that counts.
                clean_start=True,
                properties=properties,
            )
        except (OSError, ValueError) as error:
            raise SyncError(
                message("link.unreached", where=settings.address, cause=cause_of(error))
            ) from error

    def _await_answer(self) -> None:
        """Turn until CONNACK, or raise `SyncError` with the broker's reason."""
        deadline = time.monotonic() + CONNECT_SECONDS
        while self._connack is None:
            if time.monotonic() > deadline:
                raise SyncError(message("link.no_answer", where=self._settings.address))
            self.turn(0.1)
        if self._connack[0].is_failure:
            raise SyncError(self._why())

    def _check(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise SyncError(self._why(code))

    def _why(self, code: MQTTErrorCode = MQTTErrorCode.MQTT_ERR_SUCCESS) -> Told:
        """Return why there is no connection: the broker's refusal says more than the end after it."""
        where = self._settings.address
        if self._connack is None:
            tls = self._settings.tls
            # A broker that wants another certificate says so only after our handshake is over (TLS 1.3),
            # by ending the connection.
            problem = certificate_problem(tls.cert_file) if tls is not None and tls.cert_file else None
            cause = problem or message("link_cause.certificate")
            return message("link.lost_early", where=where, cause=cause)
        if self._connack[0].is_failure:
            return message("link.refused", where=where, reason=reason_of(str(self._connack[0])))
        return self._ended or message("link.lost", where=where, error=mqtt.error_string(code))

    def _on_connect(
        self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._connack = (reason, properties)

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        self._is_refused = str(reason) in FOR_ITS_SIZE
        self._ended = message("link.ended", where=self._settings.address, reason=reason_of(str(reason)))

    def _on_message(self, _c: Any, _u: Any, message: mqtt.MQTTMessage) -> None:
        said = message.properties
        self.messages.append(
            Message(message.topic, bytes(message.payload), message.retain, _done(said), _proof(said))
        )

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        self._sizes.pop(mid, None)
        # "No matching subscribers" (0x10) is no failure: the broker has the message.
        self.taken.append((mid, str(reason) if reason.is_failure else None))


def concerns(subscription: str, topic: str) -> bool:
    """Return whether a message on `topic` is one of this subscription, which may be a shared one."""
    if subscription.startswith(SHARED):
        subscription = subscription.split("/", 2)[-1]
    return topic_matches_sub(subscription, topic)


def _done(properties: Properties | None) -> int:
    """Return the sender's `done`, 0 when it says none or something invalid."""
    for name, value in getattr(properties, "UserProperty", []):
        # `int` alone would also take blanks, underscores and other scripts' digits, and numbers that no
        # database column holds.
        if name == DONE and value.isascii() and value.isdecimal() and len(value) < 16:
            return int(value)
    return 0


def _proof(properties: Properties | None) -> str:
    """Return the sender's `proof`, empty when it gives none."""
    said = getattr(properties, "UserProperty", [])
    return next((str(value) for name, value in said if name == PROOF), "")


class _ClosingSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho would leave that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001 - the base's signature
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def _context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = _ClosingSocket
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except (OSError, ssl.SSLError) as error:
        names = ", ".join(str(path) for path in (tls.ca_file, tls.cert_file, tls.key_file) if path)
        raise SyncError(f"cannot use the TLS files {names}: {error}") from error
    return context
