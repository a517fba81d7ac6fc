"""What sealed bytes are bound to: moved to another person or another row they no longer open."""

from __future__ import annotations

RECORDS = ""
"""Stands for the door's own record key where a person's id would be; nobody's id is empty."""


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
