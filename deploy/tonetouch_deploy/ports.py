"""Which loopback ports this run uses: the usual ones, those of the last run, or free ones."""

import random
import socket
from collections.abc import Mapping

from tonetouch_deploy.settings import CannotStartError

LOOPBACK = "127.0.0.1"

# Below the range from which Linux (32768) and macOS (49152) take ports for outgoing connections, so that a service
# which is restarted finds its port as it left it.
_FALLBACK = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of the last run which linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_ports(
    usual: Mapping[str, int | None], *, forced: Mapping[str, int | None], last: Mapping[str, int]
) -> dict[str, int]:
    """One port for each name in `usual`, all different.

    In this order: the forced one, the one of the last run, the usual one (None: there is none), any free one. Raises
    CannotStartError when a forced port is taken; a port of another kind that is taken is passed over.
    """
    taken = {port for port in forced.values() if port is not None}
    chosen: dict[str, int] = {}
    for name, port in usual.items():
        want = forced.get(name)
        if want is not None and not is_free(want):
            raise CannotStartError(f"Port {want} for {name} is in use; choose another one or let go of it.")
        chosen[name] = want or _first_free((last.get(name), port), taken)
        taken.add(chosen[name])
    return chosen


def _first_free(wishes: tuple[int | None, ...], taken: set[int]) -> int:
    for port in wishes:
        if port is not None and port not in taken and is_free(port):
            return port
    # At random, because two launchers that start together would both find the same next free port.
    for port in random.sample(_FALLBACK, k=2_000):
        if port not in taken and is_free(port):
            return port
    raise CannotStartError("No free port was found on the loopback interface.")
