"""What went wrong inside pyiqa, in words that say what to do."""

from __future__ import annotations

import pickle
from collections.abc import Generator
from contextlib import contextmanager

from lossagent.errors import LossAgentError, MissingAsset, Refused
from lossagent.iqa.dependencies import LINES, MissingDependency, missing_module
from lossagent.iqa.fetching import Wanted, Watch
from lossagent.iqa.listing import Entry, version


@contextmanager
def explained(entry: Entry, action: str, watch: Watch | None = None) -> Generator[None]:
    """Turns what foreign code raises into an error that names the cause.

    Args:
        entry: the metric.
        action: what it was to do, e.g. ``"be made"``.
        watch: what was seen of its files.

    Raises:
        MissingAsset: files were wanted and are missing.
        MissingPackage: a package could not be imported.
        Refused: anything else, with the foreign error in a line.
    """
    try:
        yield
    except LossAgentError:
        raise
    except Exception as error:  # a foreign network may raise anything
        raise _explanation(entry, action, watch, error) from error


def _explanation(entry: Entry, action: str, watch: Watch | None, error: Exception) -> LossAgentError:
    if watch is not None and watch.wanted:
        return MissingAsset(_missing(entry, watch.wanted))
    if (package := missing_module(error)) is not None:
        return MissingDependency(entry.full_name, package)
    if isinstance(error, pickle.UnpicklingError):
        file = str(watch.used[-1]) if watch is not None and watch.used else "its weights"
        return Refused(
            f"metric {entry.full_name!r}: {file} is damaged, or holds more than tensors, which can run any code when "
            "it is read. If you trust it, set the option unpickle: true."
        )
    reason = (str(error) or type(error).__name__).strip().splitlines()[0]
    hint = " Packages that it may lack: " + "; ".join(LINES.values()) + "." if "registry" in reason else ""
    return Refused(
        f"metric {entry.full_name!r} (pyiqa {version()}) cannot {action}: {type(error).__name__}: {reason}{hint}"
    )


def _missing(entry: Entry, wanted: list[Wanted]) -> str:
    by_hand = "put it there by hand"
    if not any(file.reason for file in wanted):
        by_hand = f"let it be fetched (lossagent score {entry.full_name} IMAGE --download), or {by_hand}"
    return (
        f"metric {entry.full_name!r} needs weights that are not on this machine: {'; '.join(_places(wanted))}. "
        f"To go on, {by_hand}. pyiqa looks for its files one after the other: others may follow."
    )


def _places(wanted: list[Wanted]) -> list[str]:
    """Which file goes where, in words; files of one repository together."""
    told: dict[str, str] = {}
    for file in wanted:
        failed = f" (fetching it failed: {file.reason})" if file.reason else ""
        if not file.repository:
            told[file.address] = f"the file {file.file}, which belongs into {file.folder}, from {file.address}{failed}"
        elif file.repository not in told:
            files = " or ".join(dict.fromkeys(f.file for f in wanted if f.repository == file.repository))
            told[file.repository] = (
                f"{files} of {file.address}, whose files belong into {file.folder}: run on a machine with a network "
                f"'hf download {file.repository}' and copy that folder{failed}"
            )
    return list(told.values())
