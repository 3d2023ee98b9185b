"""Answers are sent at once, and a client that has gone already is no error."""

import socket
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason='needs pip install "twotower[serve]"')

from twotower.serving import connection


class Gone:
    """A socket as macOS has it when the client has closed its end."""

    def setsockopt(self, *_: int) -> None:
        raise OSError(22, "Invalid argument")


def connect(found: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What uvicorn gets to know of a connection."""
    known: list[Any] = []
    monkeypatch.setattr(
        connection._Protocol, "connection_made", lambda _, transport: known.append(transport)
    )
    one = connection.Connection.__new__(connection.Connection)
    one.connection_made(SimpleNamespace(get_extra_info=lambda _: found))  # type: ignore[arg-type]
    return known


def test_answers_wait_for_no_acknowledgement(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as one:
        assert len(connect(one, monkeypatch)) == 1
        assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_client_that_has_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(connect(Gone(), monkeypatch)) == 1
