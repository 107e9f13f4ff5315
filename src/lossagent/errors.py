"""What can go wrong, and whose fault it is.

::

    LossAgentError
    ├── Refused               (also ValueError) what was asked cannot be done: nothing was started, exit status 2
    │   ├── UnknownName       a name that is not in a table; names the nearest known one
    │   ├── MissingPackage    an extra is not installed; carries the exact install line
    │   ├── MissingAsset      weights that come from elsewhere are not on this machine; says which file goes where
    │   └── DoesNotFit        a checkpoint and a network disagree; names keys and shapes
    └── Failed                something that had started could not go on, exit status 1
        ├── Damaged           a file on disk is not what was written
        ├── Diverged          losses or gradients stayed non-finite
        ├── ChatFailed        a language model gave no usable completion in time
        └── RunBusy           another process is writing the run

    Interrupted               (also KeyboardInterrupt) stopped on request and resumable, exit status 3
    Waiting                   for people; everything is saved, exit status 4

Users get these; ``assert`` is for what only a defect of ours can break.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LossAgentError(Exception):
    """Base of every error of this library."""


class Refused(LossAgentError, ValueError):
    """What was asked for cannot be done; nothing was started or written."""


class UnknownName(Refused):
    """A name that is in no table.

    Args:
        kind: what was looked for, e.g. ``"loss"``.
        name: what was given.
        known: the names there are.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names) or 'none'}.")


class MissingPackage(Refused):
    """An optional package is not installed.

    Args:
        package: the import name.
        extra: the extra of this project that brings it.
        purpose: what it is needed for.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'lossagent[{extra}]'"
        )


class MissingAsset(Refused):
    """Weights that come from elsewhere are not on this machine."""


class DoesNotFit(Refused):
    """A checkpoint and a network do not belong together."""


class Failed(LossAgentError):
    """Something that had started could not go on; what was finished is kept."""


class Damaged(Failed):
    """A file on disk is not what was written: truncated, changed or of another size."""


class Diverged(Failed):
    """Losses or gradients stayed non-finite for too many iterations in a row."""


class ChatFailed(Failed):
    """A language model gave no usable completion in time."""


class RunBusy(Failed):
    """Another process holds the lease on a run."""


class Interrupted(LossAgentError, KeyboardInterrupt):
    """Stopped on request, after saving; the message says how to go on."""


class Waiting(LossAgentError):
    """Nothing can go on before people have answered; everything is saved, and a resume waits again.

    Args:
        message: for whom, and how to answer.
        until: seconds since the epoch at which waiting ends, ``None`` for never.
    """

    def __init__(self, message: str, until: float | None = None) -> None:
        super().__init__(message)
        self.until = until
