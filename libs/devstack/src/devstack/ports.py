"""Free TCP ports on the loopback interface."""

import random
import socket
from pathlib import Path

from devstack.errors import StackError

HOST = "127.0.0.1"
# Below the range that Linux and macOS take the ports of outgoing connections from: a server that is down
# for a moment then finds its port still free.
LOWEST, HIGHEST = 15_000, 32_000


def is_free(port: int) -> bool:
    """True if a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that nothing listens on now."""
    chosen = random.SystemRandom()
    for _ in range(200):
        port = chosen.randint(LOWEST, HIGHEST)
        if is_free(port):
            return port
    raise StackError(
        f"No free port between {LOWEST} and {HIGHEST} on {HOST}: stop some of the programs that listen there."
    )


def claim(port: int, what: str) -> int:
    """The given port if it is free, any free one for 0; a port that is taken is a StackError naming `what`."""
    if port == 0:
        return free_port()
    if not is_free(port):
        raise StackError(
            f"Port {port} is taken, and {what} needs it: stop the program that uses it or choose another port."
        )
    return port


def remembered_port(file: Path) -> int:
    """The port that the file names if it is free, else any free one; the file then names it."""
    if file.exists():
        port = int(file.read_text())
        if is_free(port):
            return port
    port = free_port()
    file.write_text(str(port))
    return port
