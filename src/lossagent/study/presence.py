"""By what workers know of each other whether they live."""

from __future__ import annotations

import os
import platform
import secrets
from pathlib import Path

from filelock import FileLock, Timeout

FOLDER = "workers"


class Presence:
    """This worker, as others see it: a lock that ends with its process, also when that is killed.

    Args:
        study: the study's folder.
    """

    def __init__(self, study: Path) -> None:
        self.host = platform.node() or "host"
        self.name = f"{self.host}-{os.getpid()}-{secrets.token_hex(3)}"
        self.folder = study / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(str(self.folder / f"{self.name}.lease"))
        self._lock.acquire(timeout=0)

    def alive(self, worker: str) -> bool | None:
        """Whether another worker lives; ``None`` where that cannot be known from here."""
        if worker.rsplit("-", 2)[0] != self.host:
            return None  # locks of other machines are not seen on every shared disk
        file = self.folder / f"{worker}.lease"
        if not file.exists():
            return False
        lock = FileLock(str(file))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False

    def drop(self) -> None:
        """Gives the lock back and says nothing, as a process does that is killed."""
        self._lock.release()

    def leave(self) -> None:
        """Gives the lock back."""
        self.drop()
        (self.folder / f"{self.name}.lease").unlink(missing_ok=True)
