"""A signer in the test's own process, and requests as staff leave them."""

import time

import sqlalchemy as sa

from facegate_hub.requests import enter
from facegate_hub.signer.client import OwnDesk, SignerClient
from facegate_hub.signer.desk import SigningDesk
from facegate_hub.signer.tables import open_memory
from tests.sync.hubside import SIGNER


def own_signer(folder, now=time.time):
    """Return a signer's client that has the key of `tests.sync.hubside`; its memory is in `folder`.

    Nobody cuts its power, so it waits for no disk.
    """
    engine = open_memory(folder)
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    engine.dispose()
    return SignerClient(OwnDesk(SigningDesk(engine, SIGNER, now=now)))


def ask(engine, signer, device, kind, by="desk", args=None):
    """Leave a request for the hub as staff do, and return its id."""
    permits = signer.ask([device], kind, by, args or {})
    enter(engine, permits, kind, args or {})
    return permits[0].id


def approving(signer):
    """Return what has a change of the roster granted, as `RosterLog.change` takes it."""
    return lambda before, after: signer.approve_roster(before, after, {})
