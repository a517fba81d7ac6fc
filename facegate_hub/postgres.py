"""PostgreSQL that may fall silent: every question to it has an end, whatever the network does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

ANSWER_SECONDS = 20.0
"""How long we wait for any answer; a server that vanished without a word sends none."""
STATEMENT_MS = 15_000
"""How long the server itself lets a statement take, locks included: it says so before we give up."""
IDLE_MS = 60_000
"""A transaction of ours that says nothing for so long holds its locks for nobody."""
AHEAD = 64
"""Rows' places of a bitmap scan that are asked of the disk ahead: a page has some fifty."""
CONNECT: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "options": f"-c statement_timeout={STATEMENT_MS} -c idle_in_transaction_session_timeout={IDLE_MS}",
}


def make_patient(engine: Engine) -> None:
    """Let the engine's connections give up in time. Raises `StoreError` with an older psycopg."""
    import psycopg  # noqa: PLC0415 - only who uses PostgreSQL has it

    if tuple(int(part) for part in psycopg.__version__.split(".")[:2]) < (3, 3):
        raise StoreError(
            f"hub database: psycopg {psycopg.__version__} cannot stop waiting for a server that fell silent; "
            "run: pip install -U 'psycopg[binary]>=3.3'"
        )

    class Patient(psycopg.Connection[Any]):
        """Closes itself when no answer comes: what waits on it gets an error, and not for ever."""

        answer_seconds: float | None = ANSWER_SECONDS

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, timeout or self.answer_seconds)
            except psycopg.OperationalError:
                if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                    # The late answer would be taken for that of the next statement.
                    self.pgconn.finish()
                raise

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        connection = Patient.connect(*arguments, **(CONNECT | options))
        try:
            _require_utf8((connection.pgconn.parameter_status(b"server_encoding") or b"").decode())
        except StoreError:
            connection.close()
            raise
        _look_ahead(connection)
        return connection


def _look_ahead(connection: Any) -> None:
    """Have the server ask its disk for the next rows of a sweep early, where its system can."""
    import psycopg  # noqa: PLC0415 - only who uses PostgreSQL has it

    try:
        connection.execute(f"SET effective_io_concurrency = {AHEAD}")
        connection.commit()
    except psycopg.DataError:  # "platforms that lack posix_fadvise()"
        connection.rollback()


def take_time(connection: Connection, seconds: float | None) -> None:
    """Wait for each answer on this connection so long, None: for ever; such as for an index over years."""
    connection.connection.driver_connection.answer_seconds = seconds  # type: ignore[union-attr]
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {0 if seconds is None else STATEMENT_MS}")


def _require_utf8(encoding: str) -> None:
    """Refuse a database that cannot hold everybody's name."""
    if encoding != "UTF8":
        raise StoreError(
            f"hub database: its encoding is {encoding}, which cannot hold every name; make one with: "
            "createdb -E UTF8 -T template0 facegate"
        )
