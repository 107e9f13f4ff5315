"""The folder of a study: what was planned, and when, before its first run."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from filelock import FileLock

from lossagent.errors import Damaged, Refused
from lossagent.experiment import read_yaml
from lossagent.records import Record
from lossagent.runs import write_atomically
from lossagent.study.deriving import changed
from lossagent.study.plan import Study, parse
from lossagent.study.settings import listed

STUDY, REGISTERED, LEASE = "study.yaml", "registered.json", "registering.lease"
Plan = Literal["kept", "changed", "unknown"]
"""Whether ``study.yaml`` is what was registered; unknown where the registration holds no hash of it."""
GROWING = ("seeds", "arms", "tuned")
"""Keys of a study that may get more; what is there stays."""


class Addition(Record):
    """A study file with more arms or seeds than the one before.

    Attributes:
        sha256: of the study file.
        when: in UTC.
        overrides: changes of the experiment on the command line.
        added: what it has more.
        plan: sha256 of the folder's ``study.yaml`` as it was written then.
    """

    sha256: str
    when: str
    overrides: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    plan: str | None = None


class Registration(Record):
    """The study file as it was before the first run.

    Attributes:
        sha256: of the study file.
        when: in UTC.
        overrides: changes of the experiment on the command line.
        later: the files with more arms or seeds, in order.
        plan: sha256 of the folder's ``study.yaml`` as it was written then.
    """

    sha256: str
    when: str
    overrides: tuple[str, ...] = ()
    later: tuple[Addition, ...] = ()
    plan: str | None = None

    @property
    def identity(self) -> str:
        """Tells this study folder from others in one database."""
        return hashlib.sha256(f"{self.sha256} {self.when}".encode()).hexdigest()[:8]


def register(file: Path, study: Study, folder: Path, overrides: Sequence[str] = ()) -> None:
    """Writes down what is planned, once; later only arms and seeds may be added.

    ``study.yaml`` in the folder is the whole study with its experiment inside, and stands by itself.

    Raises:
        Refused: the folder holds another study, or the file was changed otherwise; the key is named. Or the folder's
            own ``study.yaml`` is not what was written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(str(folder / LEASE)):
        sha = hashlib.sha256(file.read_bytes()).hexdigest()
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        text = yaml.safe_dump(plain(study), sort_keys=False)
        plan = hashlib.sha256(text.encode("utf-8")).hexdigest()
        if (folder / STUDY).exists():
            _check_untouched(folder)
            added = growth(parse(read_yaml(folder / STUDY, "study")), study, folder)
            if not added:
                return
            more = Addition(sha256=sha, when=when, overrides=tuple(overrides), added=added, plan=plan)
            entry = read_registration(folder)
            if _plans(entry)[-1] != plan:  # else it was written down, and study.yaml was not any more
                entry = entry.model_copy(update={"later": (*entry.later, more)})
        elif any(p.name.removesuffix(".tmp") not in (LEASE, REGISTERED, STUDY) for p in folder.iterdir()):
            raise Refused(f"{folder} exists already and is no study folder. Choose another --out.")
        else:
            entry = Registration(sha256=sha, when=when, overrides=tuple(overrides), plan=plan)
        write_atomically(folder / REGISTERED, entry.model_dump_json(indent=1))
        write_atomically(folder / STUDY, text)


def plan_of(folder: Path, entry: Registration) -> Plan:
    """Whether a folder's ``study.yaml`` is the one that was registered last."""
    plans = _plans(entry)
    if plans[-1] is not None and _hash(folder / STUDY) != plans[-1]:
        return "changed"
    return "unknown" if None in plans else "kept"


def _plans(entry: Registration) -> tuple[str | None, ...]:
    return (entry.plan, *(more.plan for more in entry.later))


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _check_untouched(folder: Path) -> None:
    """A sitting that ended between the two files left an earlier plan; any other one was written by hand."""
    plans = _plans(read_registration(folder)) if (folder / REGISTERED).exists() else (None,)
    if plans[-1] is not None and _hash(folder / STUDY) not in plans:
        raise Refused(
            f"{folder / STUDY} was changed after it was registered. Put back what was written there, or choose "
            "another --out."
        )


def read_registration(folder: Path) -> Registration:
    """What a study folder says of its study files.

    Raises:
        Damaged: the file is not what was written.
    """
    file = folder / REGISTERED
    try:
        return Registration.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(f"{file} is not what was written: {str(error).splitlines()[0]}") from error


def plain(study: Study) -> dict[str, Any]:
    """A study as it stands in a file."""
    data = study.model_dump(mode="json", exclude_defaults=True)
    data["arms"] = {name: {**arm.changes, **_seeds(arm.seeds)} for name, arm in study.arms.items()}
    return data


def _seeds(seeds: Any) -> dict[str, Any]:  # noqa: ANN401  (a list or a range)
    return {} if seeds is None else {"seeds": list(listed(seeds))}


def growth(old: Study, new: Study, folder: Path) -> tuple[str, ...]:
    """Arms and seeds that a study has more than before.

    Raises:
        Refused: it was changed otherwise; the key is named.
    """
    before, now = json.loads(json.dumps(plain(old))), json.loads(json.dumps(plain(new)))
    for data in (before, now):
        for key in GROWING:
            data.pop(key, None)
    if different := changed(before, now):
        raise Refused(
            f"{folder} holds a study that was registered otherwise: {different}. Only arms and seeds may be added "
            "to a study that has begun; for anything else choose another --out."
        )
    added: list[str] = []
    for arm in old.names:
        if arm not in new.names:
            raise Refused(f"{folder} holds a study with an arm {arm!r}, which the file has no more; put it back.")
        if missing := set(old.seeds_of(arm)) - set(new.seeds_of(arm)):
            raise Refused(f"{folder}: arm {arm!r} was registered with seeds {sorted(missing)}; put them back.")
        ours, theirs = _changes(new, arm), _changes(old, arm)
        if ours != theirs:
            where = changed(theirs, ours)
            raise Refused(f"{folder}: arm {arm!r} was registered otherwise: {where}. Give the new one another name.")
        if more := sorted(set(new.seeds_of(arm)) - set(old.seeds_of(arm))):
            added.append(f"{arm}: seeds {', '.join(map(str, more))}")
    added += [f"arm {arm}" for arm in new.names if arm not in old.names]
    return tuple(added)


def _changes(study: Study, arm: str) -> dict[str, Any]:
    if arm in study.arms:
        return json.loads(json.dumps(study.arms[arm].changes))
    assert study.tuned is not None
    return {"losses": json.loads(json.dumps(study.tuned.full[arm.split("@", 1)[1]]))}
