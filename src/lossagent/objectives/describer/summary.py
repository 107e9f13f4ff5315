"""The set in plain sentences with numbers."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

from lossagent.objectives.describer.judging import SMOOTH, Kind, faults, steeper, unseen
from lossagent.objectives.describer.seeing import Seen
from lossagent.objectives.describer.words import (
    ABSENT,
    damage_text,
    edges_text,
    joined,
    named,
    nothing,
    percent,
    texture_text,
)

NAMED: dict[Kind, str] = {
    "noise": "added noise",
    "ringing": "ringing",
    "blocking": "8-px blocks",
    "grid": "a fine regular grid",
    "lightness": "changed lightness",
}
"""Faults that are counted over images, with the worst image named."""


def summary_text(seen: Mapping[str, Seen], since: str) -> str:
    """What was seen in all images that have the same kind of comparison; at most 300 characters.

    Shares and noise are means over images; faults are counted.

    Args:
        seen: image name -> its measures, at least one. Where some images have a reference and some have none, the
            larger group is spoken of, and the others are counted.
        since: a sentence about the state before, or nothing.
    """
    with_reference = {name: s for name, s in seen.items() if s.base == "reference"}
    without = {name: s for name, s in seen.items() if s.base == "input"}
    group = with_reference if len(with_reference) >= len(without) else without
    first = next(iter(group.values()))
    many = len(group) > 1
    head = f"{len(group)} images against the {named(first)}s" if many else f"1 image against the {named(first)}"
    if len(group) < len(seen):
        head += f" ({len(seen) - len(group)} more {'without' if group is with_reference else 'with'} one)"
    if all(unseen(s) for s in group.values()):
        return joined([f"{head}: no visible difference"], since)
    found = {name: faults(s) for name, s in group.items()}
    facts = [*_edges(group), *_texture(group), *_noise(group)]
    counted = [text for kind, word in NAMED.items() if (text := _counted(kind, word, group, found))]
    absent = [word for kind, word in ABSENT.items() if _nowhere(kind, found)]
    clauses = [*facts, *_tint(group, found), *counted, *nothing(absent)]
    return joined([f"{head}: {clauses[0]}", *clauses[1:]] if clauses else [head], since)


def short(name: str) -> str:
    """An image name of at most 32 characters."""
    return name if len(name) <= 32 else name[:29] + "..."


def _edges(group: Mapping[str, Seen]) -> list[str]:
    changes = {n: c for n, s in group.items() if (c := steeper(s.image, s.compared)) is not None}
    if not changes:
        return []
    mean = fmean(changes.values())
    worst = min(changes, key=lambda n: changes[n])
    beside = f" ({short(worst)} {percent(-changes[worst])})" if len(changes) > 1 and mean < -0.01 else ""
    return [f"edges {edges_text(mean)}{beside}" if abs(mean) >= 0.01 else "edges as sharp"]


def _texture(group: Mapping[str, Seen]) -> list[str]:
    fine = [s.fine for s in group.values() if s.fine is not None]
    if not fine:
        return []
    medium = [s.medium for s in group.values() if s.medium is not None]
    agreement = [s.agreement for s in group.values() if s.agreement is not None]
    whose = "the inputs' own fine detail" if next(iter(group.values())).enlarged else "fine texture"
    mean = fmean(fine)
    over = "over-smoothed: " if mean < SMOOTH else ""
    same = f" (correlation {fmean(agreement):.2f})" if agreement and fmean(agreement) < 0.95 else ""
    return [f"{over}{whose} {texture_text(mean, fmean(medium) if medium else None)}{same}"]


def _noise(group: Mapping[str, Seen]) -> list[str]:
    pairs = [
        (s.image.noise, s.compared.noise)
        for s in group.values()
        if s.image.noise is not None and s.compared.noise is not None
    ]
    if not pairs:
        return []
    base = next(iter(group.values())).base
    return [f"noise {fmean(a for a, _ in pairs):.1f} grey levels ({base}s {fmean(b for _, b in pairs):.1f})"]


def _tint(group: Mapping[str, Seen], found: Mapping[str, Mapping[Kind, float]]) -> list[str]:
    """The commonest direction of colour shifts, with its mean."""
    shifted = [group[name].tint for name, f in found.items() if f.get("colour")]
    if not shifted:
        return []
    ways = [t.towards for t in shifted]
    way = max(dict.fromkeys(ways), key=ways.count)
    mean = fmean(t.size for t in shifted if t.towards == way)
    return [f"colours shifted {mean:.1f} dE towards {way} in {_of(ways.count(way), len(group))}"]


def _counted(kind: Kind, word: str, group: Mapping[str, Seen], found: Mapping[str, Mapping[Kind, float]]) -> str:
    bad = {name: f[kind] for name, f in found.items() if f.get(kind)}
    if not bad:
        return ""
    worst = max(bad, key=lambda name: bad[name])
    # "9 %", without what stands in brackets behind it: the set's sentence is long enough.
    much = damage_text(kind, group[worst]).split(" (")[0]
    return f"{word} in {_of(len(bad), len(found))} ({f'{short(worst)} ' if len(found) > 1 else ''}{much})"


def _nowhere(kind: Kind, found: Mapping[str, Mapping[Kind, float]]) -> bool:
    measured = [f[kind] for f in found.values() if kind in f]
    return bool(measured) and not any(measured)


def _of(count: int, images: int) -> str:
    return f"all {images}" if count == images and images > 1 else f"{count} of {images}"
