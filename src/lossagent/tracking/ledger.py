"""What each tracker was told already: ``trackers.json`` in the run folder."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from lossagent.errors import Damaged
from lossagent.runs import write_atomically


class Entry(BaseModel):
    """One tracker.

    Attributes:
        key: the name under which the tracker finds its own run again.
        mirrored: id of the last state that it was told of, -1 for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    mirrored: int = -1


_ENTRIES = TypeAdapter(dict[str, Entry])
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Ledger:
    """Kept by the threads of one process; a run folder has one writer.

    Attributes:
        path: the file.
    """

    path: Path

    def get(self, tracker: str) -> Entry | None:
        """What is known of a tracker.

        Raises:
            Damaged: the file is no ledger; a mirror would be told everything twice.
        """
        with _LOCK:
            return self._read().get(tracker)

    def put(self, tracker: str, entry: Entry) -> None:
        """Keeps it; on return it is on disk."""
        with _LOCK:
            entries = {name: e.model_dump() for name, e in {**self._read(), tracker: entry}.items()}
            write_atomically(self.path, json.dumps(entries, indent=1))

    def _read(self) -> dict[str, Entry]:
        if not self.path.exists():
            return {}
        try:
            return _ENTRIES.validate_json(self.path.read_bytes())
        except ValidationError as error:
            raise Damaged(f"{self.path} is no record of trackers; delete it to mirror the run anew.") from error
