"""One image in plain sentences with numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossagent.objectives.describer.judging import SMOOTH, Kind, faults, steeper, unseen
from lossagent.objectives.describer.seeing import Seen

LONGEST = 300
"""Characters: more of a remark is cut off where prompts quote it."""

ABSENT: dict[Kind, str] = {
    "ringing": "ringing",
    "blocking": "blocking",
    "grid": "regular grid",
    "colour": "colour shift",
}
"""What is named when it was looked for and not found."""


@dataclass(frozen=True)
class Clause:
    """Part of a sentence.

    Attributes:
        fault: 0, or how bad it is, see :func:`lossagent.objectives.describer.judging.faults`.
        text: the words.
    """

    fault: float
    text: str


def image_text(seen: Seen, since: str) -> str:
    """What was seen in one image: faults first, the worst before the others; at most 300 characters.

    Args:
        seen: the measures.
        since: a sentence about the state before, or nothing.
    """
    if unseen(seen):
        return joined([f"No visible difference from the {named(seen)}"], since)
    found = faults(seen)
    said = [
        _edges(seen, found.get("edges", 0.0)),
        _texture(seen, found.get("texture", 0.0)),
        _noise(seen, found.get("noise", 0.0)),
        *_damage(seen, found),
    ]
    clauses = sorted((c for c in said if c is not None), key=lambda c: -c.fault)
    absent = [word for kind, word in ABSENT.items() if found.get(kind) == 0.0]
    return joined([*(c.text for c in clauses), *nothing(absent)], since)


def joined(clauses: Sequence[str], last: str) -> str:
    """Clauses as a sentence, and one more sentence; clauses are left out from the end on to stay within 300."""
    kept = list(clauses)
    while True:
        text = "; ".join(kept)
        text = " ".join(part for part in (text[:1].upper() + text[1:] + "." if kept else "", last) if part)
        if len(text) <= LONGEST or len(kept) <= 1:
            return text
        kept.pop()


def nothing(absent: Sequence[str]) -> list[str]:
    """``no ringing, blocking or grid``."""
    if not absent:
        return []
    return ["no " + (f"{', '.join(absent[:-1])} or {absent[-1]}" if len(absent) > 1 else absent[0])]


def named(seen: Seen) -> str:
    """What it was compared with."""
    return "enlarged input" if seen.enlarged else seen.base


def percent(share: float) -> str:
    """``12 %``; small shares keep a decimal."""
    value = 100 * share
    return f"{value:.1f} %" if abs(value) < 1 and round(value, 1) != 0 else f"{value:.0f} %"


def edges_text(change: float) -> str:
    """``12 % softer``, from the relative change of the gradient."""
    return f"{percent(abs(change))} {'softer' if change < 0 else 'sharper'}"


def texture_text(fine: float, medium: float | None) -> str:
    """How much of the fine texture is left, with the medium one where that is lost too."""
    if fine > 1.005:
        return f"has {f'{fine:.1f} times' if fine >= 2 else f'{percent(fine)} of'} its energy"
    beside = f", medium {percent(medium)}" if medium is not None and medium < 0.8 else ""
    return f"keeps {percent(fine)} of its energy{beside}"


def damage_text(kind: Kind, seen: Seen) -> str:
    """How much of a fault there is: ``9 % (reference 2 %)``.

    Args:
        kind: noise, ringing, blocking, grid, colour or lightness, measured in both images where it needs both.
        seen: the measures.
    """
    image, compared, base = seen.image, seen.compared, seen.base
    match kind:
        case "noise":
            return f"{_level(image.noise)} grey levels ({base} {_level(compared.noise)})"
        case "ringing":
            return f"{percent(image.halo or 0.0)} ({base} {percent(compared.halo or 0.0)})"
        case "blocking":
            return f"{_level(image.blocking)} grey levels ({base} {_level(compared.blocking)})"
        case "grid":
            return f"{_level(image.lattice)}-fold"
        case "colour":
            return f"{seen.tint.size:.1f} dE towards {seen.tint.towards}"
        case "lightness":
            return f"{abs(seen.tint.lightness):.1f} L* {'lighter' if seen.tint.lightness > 0 else 'darker'}"
        case "edges" | "texture":
            raise AssertionError(kind)


def _level(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}"


def _edges(seen: Seen, fault: float) -> Clause | None:
    change = steeper(seen.image, seen.compared)
    if change is None:
        return None
    if abs(change) < 0.01:
        return Clause(fault, f"edges are as sharp as in the {named(seen)}")
    width = ""
    if fault and seen.image.width is not None and seen.compared.width is not None:
        width = f" ({seen.image.width:.1f} px wide, there {seen.compared.width:.1f})"
    return Clause(fault, f"edges are {edges_text(change)} than in the {named(seen)}{width}")


def _texture(seen: Seen, fault: float) -> Clause | None:
    if seen.fine is None:
        return None
    whose = "the input's own fine detail" if seen.enlarged else "fine texture"
    over = "over-smoothed: " if seen.fine < SMOOTH else ""
    same = f" (correlation {seen.agreement:.2f})" if seen.agreement is not None and seen.agreement < 0.95 else ""
    return Clause(fault, f"{over}{whose} {texture_text(seen.fine, seen.medium)}{same}")


def _noise(seen: Seen, fault: float) -> Clause | None:
    if seen.image.noise is None or seen.compared.noise is None:
        return None
    return Clause(fault, f"{'added ' if fault else ''}noise {damage_text('noise', seen)}")


def _damage(seen: Seen, found: Mapping[Kind, float]) -> list[Clause]:
    """What is spoken of only where it is a fault."""
    words: dict[Kind, str] = {
        "ringing": "ringing: edges overshoot by {}",
        "blocking": "8-px blocks as of JPEG stand out by {}",
        "grid": "a fine regular grid stands out {} in the spectrum",
        "colour": "colours are shifted {}",
        "lightness": "the image is {}",
    }
    return [Clause(found[k], text.format(damage_text(k, seen))) for k, text in words.items() if found.get(k)]
