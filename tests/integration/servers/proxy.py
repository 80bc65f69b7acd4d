"""A way to a database server that can be cut at a chosen moment, as networks are."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from enum import Enum
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from .machine import free_ports, new_address

BYTES_AT_ONCE = 65536
SECONDS_TO_END = 10.0


class Cut(Enum):
    """Where the way is cut."""

    REQUEST = "before the request reaches the server"
    ANSWER = "after the server has answered, before the answer reaches the client"


class Proxy:
    """
    Passes on what clients and a server send each other, until it is told to cut the way.

    A request is all that a client sends before it waits. The cut ends the connection on both
    sides; the next connection is as good as any.

    Args:
        url: A database of the server.
    """

    def __init__(self, url: str) -> None:
        target = sa.make_url(url)
        assert target.host is not None
        self._target = (target.host, target.port)
        self._is_postgresql = target.get_backend_name() == "postgresql"
        host = new_address()
        (port,) = free_ports(host, 1)
        self._listening = socket.create_server((host, port))
        self._told, self._tell = socket.socketpair()
        self.url = target.set(host=host, port=port).render_as_string(hide_password=False)
        self._lock = threading.Lock()
        self._cut: tuple[Cut, int] | None = None
        self.requests = 0
        """How many requests have come since the counting began."""
        self.swallowed: tuple[bytes, bytes] | None = None
        """The request at which the way was cut, and the answer that nobody has got."""
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tell.close()
        for thread in self._threads:
            thread.join(SECONDS_TO_END)
        self._listening.close()
        self._told.close()

    def count(self) -> None:
        """Begin to count requests, and cut nothing."""
        with self._lock:
            self.requests, self._cut, self.swallowed = 0, None, None

    def cut(self, where: Cut, number: int) -> None:
        """Cut the way at that request, counted from now, and from 1."""
        with self._lock:
            self.requests, self._cut, self.swallowed = 0, (where, number), None

    def _accept(self) -> None:
        while True:
            ready, _, _ = select.select([self._listening, self._told], [], [])
            if self._told in ready:
                return
            client, _ = self._listening.accept()
            thread = threading.Thread(target=self._pass_on, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _pass_on(self, client: socket.socket) -> None:
        """Pass on what one client and the server send, in the order in which it comes."""
        # Whoever ends a connection in the middle of something makes the other side's sends fail.
        with client, contextlib.suppress(OSError):
            server = socket.create_connection(self._target)
            with server:
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._converse(client, server)

    def _converse(self, client: socket.socket, server: socket.socket) -> None:
        asked, answered = b"", b"."
        cuts = None
        while True:
            ready, _, _ = select.select([client, server, self._told], [], [])
            if self._told in ready:
                return
            if server in ready:
                data = server.recv(BYTES_AT_ONCE)
                answered += data
                if cuts is Cut.ANSWER and (not data or self._is_whole(answered)):
                    self.swallowed = (asked, answered)
                    return
                if not data:
                    return
                if cuts is None:
                    client.sendall(data)
            if client in ready:
                data = client.recv(BYTES_AT_ONCE)
                if not data:
                    return
                if answered:
                    asked, answered, cuts = b"", b"", self._number_of_request()
                asked += data
                if cuts is Cut.REQUEST:
                    self.swallowed = (asked, b"")
                    return
                server.sendall(data)

    def _number_of_request(self) -> Cut | None:
        """Count a request, and tell whether it is the one at which the way is cut."""
        with self._lock:
            self.requests += 1
            if self._cut is None or self._cut[1] != self.requests:
                return None
            where, _ = self._cut
            self._cut = None
            return where

    def _is_whole(self, answer: bytes) -> bool:
        """Tell whether the server has answered everything that was asked."""
        # https://www.postgresql.org/docs/current/protocol-message-formats.html: ReadyForQuery.
        return not self._is_postgresql or answer[-6:-1] == b"Z\0\0\0\5"
