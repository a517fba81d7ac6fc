"""What sealed bytes are bound to: moved to another person or another row they no longer open."""

from __future__ import annotations

RECORDS = ""
"""Stands for the door's own record key where a person's id would be; nobody's id is empty."""

DEVICES = "\x01"
"""Begins what stands for a key of the device itself: nobody's id begins with a sign that is not printable."""

WAYS_KEY = "ways in"
"""The key of the device that binds PINs and cards. It belongs to what is backed up."""


def device_context(name: str) -> bytes:
    """Return what a secret of the device is bound to: its key is its own, wrapped by the site's key."""
    return f"facegate device\0{DEVICES}{name}\0".encode()


def is_devices(person: str) -> bool:
    """Return whether this names a key of the device, and nobody's."""
    return person.startswith(DEVICES)


def context_of(resident_id: str, model_id: str) -> bytes:
    """Return what a sealed template is bound to; its key is the person's own."""
    return f"facegate template\0{resident_id}\0{model_id}".encode()


def record_context(kind: str, identity: str) -> bytes:
    """Return what a sealed record (a name, a consent) is bound to; its key is the door's.

    A withdrawn face destroys the person's key, and the person stays: so names have another one.
    """
    return f"facegate record\0{RECORDS}\0{kind}\0{identity}".encode()


def person_of(context: bytes) -> str:
    """Return whose key a context asks for: a resident id, or `RECORDS`."""
    return context.split(b"\0")[1].decode()
