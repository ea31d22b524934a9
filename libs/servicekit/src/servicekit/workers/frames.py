"""What goes over the sockets between a service, its forker and its workers. Only processes of one service talk here."""

from __future__ import annotations

import socket
import struct

COMMAND = struct.Struct("!cI")
"""To the forker: what to do, and with which process. A fork brings the worker's socket along."""
FORK, END = b"f", b"e"
REPLY = struct.Struct("!II")
"""From it: the process that it forked, or the wait status of the one that it ended and how far its task was."""
LENGTH = struct.Struct("!I")
"""Before the settings that the target is made with."""
TASK = struct.Struct("!Idd")
"""Before a task: its length, seconds of CPU, seconds."""
ANSWER = struct.Struct("!cI")
"""Before an answer: what it is and its length."""
DONE, FAILED = b"d", b"f"
COUNT = struct.Struct("!I")
"""In the memory that a worker shares with the forker: how far its task is."""


def receive(line: socket.socket, size: int) -> bytes | None:
    """So many bytes; None when the other side has gone."""
    received = bytearray()
    while len(received) < size:
        more = line.recv(min(size - len(received), 1 << 20))
        if not more:
            return None
        received += more
    return bytes(received)
