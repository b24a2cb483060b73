"""Tests stay on this machine."""

import asyncio
import socket

import pytest

#: Addresses kept for documentation: nobody answers there even if the guard fails.
OUTSIDE = ("192.0.2.1", 443)


def test_a_socket_that_leaves_the_machine_is_refused() -> None:
    with socket.socket() as tcp, pytest.raises(AssertionError, match=r"192\.0\.2\.1: the internet is closed"):
        tcp.connect(OUTSIDE)
    with socket.socket() as tcp, pytest.raises(AssertionError, match="the internet is closed"):
        tcp.connect_ex(OUTSIDE)
    with socket.socket(type=socket.SOCK_DGRAM) as udp, pytest.raises(AssertionError, match="the internet is closed"):
        udp.sendto(b"x", OUTSIDE)


async def test_asyncio_is_guarded_too() -> None:
    with pytest.raises(AssertionError, match="the internet is closed"):
        await asyncio.open_connection(*OUTSIDE)


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
