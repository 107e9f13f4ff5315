"""Whether somebody is writing a run, found out without touching its lease."""

from __future__ import annotations

from pathlib import Path

LOCKS = Path("/proc/locks")


def is_held(lease: Path, locks: Path = LOCKS) -> bool | None:
    """Whether a process holds the lease; ``None`` where that cannot be seen.

    The list of the operating system is read. Trying the lock would take it for a moment, in which a run that is
    resumed just then would be refused. Processes of other machines and containers are not in the list.

    Args:
        lease: the lock file of a run.
        locks: Linux's list of locks.
    """
    try:
        node = lease.stat().st_ino
    except OSError:
        return False
    try:
        lines = locks.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return any(_node(line) == node for line in lines)


def _node(line: str) -> int | None:
    """The file of ``1: FLOCK  ADVISORY  WRITE 708 08:02:1234 0 EOF``; a lock that is waited for has an arrow."""
    parts = line.split()
    place = parts[5].rpartition(":")[2] if len(parts) >= 8 and "->" not in parts else ""
    return int(place) if place.isdecimal() else None
