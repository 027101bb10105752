"""Process hardening: disable core dumps and ptrace."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4  # prctl(2)


def protect_memory() -> str:
    """Protect this process and those that it forks.

    Returns what failed, "" if nothing did.

    On Linux the limit alone is not enough: it does not apply where core_pattern pipes dumps to a
    program (core(5)). A process that is not dumpable leaves no dump there either, and debuggers and
    readers of /proc need root.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return ""
    try:
        done = ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
    except (OSError, AttributeError):  # a C library without it
        done = False
    return (
        ""
        if done
        else "prctl(PR_SET_DUMPABLE) failed: processes of the same user may read this one's memory"
    )
