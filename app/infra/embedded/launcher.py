"""Becomes another program after tying its life to its parent; never imported, only run as a script.

It runs alone in a fresh interpreter, because a user namespace can be entered only by a process
without threads, and because code between fork and exec of a threaded parent may deadlock.
Usage: launcher.py PARENT_PID DEATH_SIGNAL plain|userns:UID|drop:UID PROGRAM ARGUMENT...
"""

import ctypes
import os
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000


def enter_user_namespace(libc: ctypes.CDLL, inside: int) -> None:
    """Look like an ordinary user to the program, while the files stay ours."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{inside} {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{inside} {gid} 1", encoding="ascii")


def drop_to(uid: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def main(arguments: list[str]) -> None:
    """Enter the mode, ask for the death signal, become the program."""
    parent, death_signal, mode, *program = arguments
    is_linux = sys.platform == "linux"
    libc = ctypes.CDLL(None, use_errno=True) if is_linux else None
    if mode.startswith("userns:") and libc is not None:
        enter_user_namespace(libc, int(mode.removeprefix("userns:")))
    elif mode.startswith("drop:"):
        drop_to(int(mode.removeprefix("drop:")))
    if libc is not None:
        # After the change of identity: the kernel forgets the signal when credentials change.
        libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit(1)  # the parent died before the signal was asked for
    os.execvp(program[0], program)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
