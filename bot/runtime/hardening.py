"""How does this process keep its memory to itself? No core dump, and no other process of the same user looks in."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4  # prctl(2)


def protect_memory() -> str:
    """From now on, for this process and those it forks. Returns what could not be done, "" where all is done.

    The limit alone is not enough on Linux: where dumps go to a program (core(5), a pipe in core_pattern), it is not
    looked at. A process that is not dumpable leaves none there either, and debuggers and readers of /proc need root.
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
