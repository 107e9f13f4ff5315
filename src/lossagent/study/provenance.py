"""How a study was made: command, registration, seeds, image sets, metrics, versions."""

from __future__ import annotations

import json
from pathlib import Path

from lossagent.feedback import POOLED
from lossagent.study.carrying import RUNS
from lossagent.study.loading import Folder
from lossagent.study.registering import STUDY, Plan
from lossagent.study.results import span
from lossagent.study.settings import FIXED
from lossagent.study.tables.fairness import who_knew_fixed

Fact = tuple[str, str]
PLANS: dict[Plan, str] = {
    "kept": f"{STUDY} is what was registered",
    "changed": f"the plan was changed after it was registered: {STUDY} is not what was written then",
    "unknown": f"the registration holds no hash of {STUDY}: whether it was changed since cannot be told",
}


def made(read: Folder) -> tuple[Fact, ...]:
    """(label, words) in the order of the page."""
    results = read.results
    facts: list[Fact] = []
    if read.simulated is None:
        facts.append(("Command", f"lossagent compare STUDY.yaml --out {read.path.name}"))
    else:
        facts.append(("Simulated", _flat(read.simulated)))
    if (entry := read.registration) is not None:
        changes = f", with {' '.join(entry.overrides)}" if entry.overrides else ""
        facts.append(("Registered", f"{entry.when}, before the first run; study file sha256 {entry.sha256}{changes}"))
        facts += [("Added later", f"{more.when}: {'; '.join(more.added)}") for more in entry.later]
        facts += [("Plan", PLANS[read.plan])] if read.plan is not None else []
    else:
        facts.append(("Registered", "no: nothing says that the study was written down before its runs"))
    facts += [("Seeds", _seeds(read)), ("Runs", _runs(read))]
    for objective in results.objectives:
        name = f" of {objective}" if len(results.objectives) > 1 else ""
        facts += [(f"Test images{name}", _images(read, objective)), (f"Metrics{name}", _metrics(read, objective))]
    for objective in results.objectives:
        if knowing := who_knew_fixed(results, objective):
            why = "as the study says" if results.know_fixed else "limits are relative to it"
            facts.append(
                (
                    "Fixed run" + (f" of {objective}" if len(results.objectives) > 1 else ""),
                    f"{knowing} knew the {FIXED} arm's scores of its seed ({why}): that run is a cost of each of them",
                )
            )
    if versions := _versions(read.path):
        facts.append(("Versions", versions))
    return tuple(facts)


def _seeds(read: Folder) -> str:
    groups: dict[str, list[str]] = {}
    for arm in read.study.names:
        groups.setdefault(span(read.study.seeds_of(arm)), []).append(arm)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{seeds}: {', '.join(arms)}" for seeds, arms in groups.items())


def _runs(read: Folder) -> str:
    done = len(read.study.jobs) - len(read.missing)
    return f"{done:,} of {len(read.study.jobs):,} finished"


def _images(read: Folder, objective: str) -> str:
    one = next(iter(read.results.every(objective)))
    counts = {
        name: max((len(scores.keys() - {POOLED}) for row in rows.values() for scores in row.scores.values()), default=0)
        for name, rows in one.tests.items()
    }
    own = read.results.sets_by_seed(objective)
    said = (
        f"{name}: {count or 'means alone'}{', others for each seed' if name in own else ''}"
        for name, count in counts.items()
    )
    return "; ".join(said) or "none"


def _metrics(read: Folder, objective: str) -> str:
    parts: list[str] = []
    for name, one in read.results.facts(objective).items():
        options = ", ".join(f"{k} {v}" for k, v in one.options.items())
        parts.append(
            f"{name} ({one.direction} is better; {one.implementation} {one.version}{options and ', '}{options})"
        )
    return "; ".join(parts)


def _versions(path: Path) -> str:
    """Versions that the runs recorded, as far as their folders are still there."""
    found: dict[str, dict[str, None]] = {}
    for file in sorted((path / RUNS).glob("*/*/*/environment.json")):
        try:
            versions = json.loads(file.read_text(encoding="utf-8")).get("versions", {})
        except (OSError, ValueError):
            continue  # a run that is being written
        for package, version in versions.items():
            found.setdefault(str(package), {})[str(version)] = None
    return ", ".join(f"{package} {' and '.join(versions)}" for package, versions in found.items())


def _flat(values: object) -> str:
    """Nested plain data in words."""
    if isinstance(values, dict):
        return "; ".join(f"{k}: {_flat(v)}" for k, v in values.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(values, list):
        return ", ".join(_flat(v) for v in values)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(values)
