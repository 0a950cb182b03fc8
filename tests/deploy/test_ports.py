"""Choosing loopback ports."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from tonetouch_deploy.ports import choose_ports, is_free
from tonetouch_deploy.settings import CannotStartError


@pytest.fixture(name="taken")
def _taken() -> Iterator[int]:
    """A loopback port on which somebody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.fixture(name="free")
def _free() -> int:
    """A loopback port on which nobody listened a moment ago."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
    return port


def test_the_usual_port_is_used_when_it_is_free(free: int) -> None:
    """Without anything special, a part is where one expects it."""
    assert choose_ports({"api": free}, forced={}, last={}) == {"api": free}


def test_a_taken_port_falls_back_to_a_free_one(taken: int) -> None:
    """Somebody else's server does not keep us from starting."""
    port = choose_ports({"api": taken}, forced={}, last={})["api"]
    assert port != taken
    assert is_free(port)


def test_the_port_of_the_last_run_comes_first(free: int, taken: int) -> None:
    """An address that was bookmarked stays, unless it is taken."""
    usual = {"api": None}
    assert choose_ports(usual, forced={}, last={"api": free}) == {"api": free}
    assert choose_ports(usual, forced={}, last={"api": taken})["api"] != taken


def test_a_forced_port_that_is_taken_is_refused(taken: int) -> None:
    """A port somebody asked for by name is not replaced behind their back."""
    with pytest.raises(CannotStartError, match=f"Port {taken} for api is in use"):
        choose_ports({"api": 8080}, forced={"api": taken}, last={})


def test_no_port_is_given_twice(free: int) -> None:
    """Parts that want the same port get different ones; a forced one is kept for who forced it."""
    chosen = choose_ports({"a": free, "b": free, "c": free}, forced={"c": free}, last={"a": free})
    assert chosen["c"] == free
    assert len(set(chosen.values())) == 3
