"""Start a program so that it ends with its parent, and not as root: `launch.py PARENT SIGNAL USER PROGRAM ARGS…`.

Run by path with `python -I -S`; replaces itself by the program, so that the pid stays. A program of its own because
the parent has threads: code between fork and exec (`preexec_fn`) may then deadlock, and Python warns about it.

PARENT is the pid of the process that must live on, SIGNAL the number of the signal to die by when it does not
(Linux only), USER a user's name or `-`.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_VERSION_3 = 0x20080522
LINUX = sys.platform == "linux"


def become(user: str) -> None:
    """Change to `user`, who may still pass through folders that only root may enter (a checkout under /root)."""
    entry = pwd.getpwnam(user)
    libc = ctypes.CDLL(None)
    if LINUX:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if LINUX and not keep_capability(libc, CAP_DAC_READ_SEARCH):
        keep_capability(libc, CAP_DAC_OVERRIDE)  # What containers leave to root.


def keep_capability(libc: ctypes.CDLL, capability: int) -> bool:
    """Keep one of root's capabilities over exec; False if this process does not have it."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable; the upper 32 are unused
    if libc.capset(header, sets) != 0:
        return False
    return bool(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0)


def main(parent: int, signal: int, user: str, program: list[str]) -> None:
    """Become the user, ask to die with the parent, and become the program."""
    if user != "-":
        become(user)
    if LINUX:  # After the change of user, which resets it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("its parent ended before it started")
    os.execv(program[0], program)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
