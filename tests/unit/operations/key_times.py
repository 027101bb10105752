"""Spans of time in a key's life."""

from __future__ import annotations

from datetime import timedelta

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SECOND = timedelta(seconds=1)
LEASE = MINUTE
"""How long a process may take to deliver a key."""
SOON = timedelta(seconds=15)
"""When the scheduler retries what failed."""
ORPHAN_CHECK = timedelta(minutes=15)
"""When a change is read back, and orphaned keys are looked for after a lease."""
