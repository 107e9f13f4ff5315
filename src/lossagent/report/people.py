"""What people said: strengths with intervals, marks, comments, how far they agree, and the last blind pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lossagent.events import Commented, Ignored
from lossagent.judgements import RATING, Panel, Question, side_of
from lossagent.preferences import (
    Comparison,
    FinalResult,
    Strength,
    agreement,
    answers_by_rater,
    comparisons_of,
    consistency,
    final_result,
    side_bias,
    strengths,
)
from lossagent.preferences.final import FEWEST
from lossagent.records import State
from lossagent.report.numbers import mean, plain, signed
from lossagent.report.reading import RunData, section

REACH = 0.5
"""Least half width of the axis of strengths, in log odds."""
MANY_WORDS = 1200
"""Characters of a comment that the page quotes."""


@dataclass(frozen=True)
class StrengthRow:
    """A state's strength.

    Attributes:
        label: ``S3``.
        value, interval, chance: log odds against S_0, their 95 % interval, and the probability of being preferred.
        comparisons: how many comparisons the state took part in.
        parent: how it fared against the state it was trained from, in words.
        verdict: ``gain``, ``setback``, ``noise`` or "": against its parent.
        low, at, high: where the interval's ends and the value stand on an axis from 0 to 100.
        selected: whether it is the selected state.
    """

    label: str
    value: str
    interval: str
    chance: str
    comparisons: str
    parent: str
    verdict: str
    low: float
    at: float
    high: float
    selected: bool


@dataclass(frozen=True)
class RaterRow:
    """A person: how many answers, how many alike when pairs came again, and how often the left image."""

    name: str
    answers: int
    consistent: str
    left: str


@dataclass(frozen=True)
class MarkRow:
    """A state's mean mark; ``answers`` is how many marks it is the mean of."""

    label: str
    value: str
    answers: int


@dataclass(frozen=True)
class CommentLine:
    """Words of a person, foreign text."""

    author: str
    about: str
    text: str


@dataclass(frozen=True)
class PeopleSection:
    """What the page shows of people.

    Attributes:
        question: the experiment's own words for what was asked, "" for the usual ones.
        strengths, marks, raters, comments: tables.
        doubts: sentences on consistency, agreement, sides, missing answers and refused letters.
        finals: (outcome, sentence) of each last comparison, with the name of its image set.
    """

    question: str
    strengths: tuple[StrengthRow, ...]
    marks: tuple[MarkRow, ...]
    raters: tuple[RaterRow, ...]
    comments: tuple[CommentLine, ...]
    doubts: tuple[str, ...]
    finals: tuple[tuple[str, FinalResult], ...]


def people_of(run: RunData) -> PeopleSection | None:
    """The section of a run; ``None`` where people were neither asked nor said anything."""
    panel = run.trajectory.panel
    comments = tuple(_comments(run))
    if not panel.questions and not comments:
        return None
    return PeopleSection(
        question=str(section(run.experiment, "people").get("question") or ""),
        strengths=tuple(_strengths(run, comparisons_of(panel.tasks, panel.judgements))),
        marks=tuple(_marks(run)),
        raters=tuple(_raters(panel)),
        comments=comments,
        doubts=tuple(_doubts(run)),
        finals=tuple(_finals(panel)),
    )


def _strengths(run: RunData, pairs: Sequence[Comparison]) -> Iterator[StrengthRow]:
    found = strengths(pairs, side_of(0))
    known = [(state, found[side_of(state.id)]) for state in run.trajectory.states if side_of(state.id) in found]
    if len(known) < 2:  # S_0 alone
        return
    reach = max(REACH, *(abs(s.value) for _, s in known)) * 1.6
    for state, strength in known:
        against, verdict = _against_parent(state, pairs)
        yield StrengthRow(
            label=f"S{state.id}",
            value=signed(strength.value, 2),
            interval="by definition" if state.id == 0 else _interval(strength),
            chance=f"{100 * strength.chance:.0f} %",
            comparisons=_count(strength.comparisons),
            parent=against,
            verdict=verdict,
            low=_at(strength.low, reach),
            at=_at(strength.value, reach),
            high=_at(strength.high, reach),
            selected=state.id == run.selected.id,
        )


def _against_parent(state: State, pairs: Sequence[Comparison]) -> tuple[str, str]:
    """How a state fared against its parent: "better" only beyond chance, and with few comparisons nothing."""
    if state.parent is None:
        return "", ""
    ours, theirs = side_of(state.id), side_of(state.parent)
    strength = strengths(pairs, theirs, [ours]).get(ours)
    if strength is None:
        return "never compared", ""
    met = sum(p.weight for p in pairs if {p.winner, p.loser} == {ours, theirs})
    figures = f"{signed(strength.value, 2)} [{_interval(strength)}]"
    if met and met < FEWEST:
        return f"{figures}: too few to claim anything ({_count(met)} of at least {FEWEST})", ""
    if not strength.clear:
        return f"{figures}: no difference beyond chance", "noise"
    better = strength.value > 0
    return f"{figures}: {'preferred' if better else 'not preferred'}", "gain" if better else "setback"


def _marks(run: RunData) -> Iterator[MarkRow]:
    panel = run.trajectory.panel
    for state in run.trajectory.states:
        scores = state.feedback.scores.get(RATING) if state.feedback is not None else None
        if scores is not None:
            side = side_of(state.id)
            mine = {task.id for task in panel.tasks.values() if task.left == side}
            answers = sum(j.rating is not None and j.task in mine for j in panel.judgements)
            yield MarkRow(f"S{state.id}", plain(mean(scores), 2), answers)


def _raters(panel: Panel) -> Iterator[RaterRow]:
    for name, answers in answers_by_rater(panel.judgements).items():
        again = consistency(panel.tasks, panel.judgements, name)
        left = side_bias(panel.tasks, panel.judgements, name)
        yield RaterRow(
            name=name,
            answers=answers,
            consistent=f"{again.agreed} of {again.repeated}" if again.repeated else "none repeated",
            left=f"{left.left} of {left.decided}" if left.decided else "none decided",
        )


def _comments(run: RunData) -> Iterator[CommentLine]:
    panel = run.trajectory.panel
    for judgement in panel.judgements:
        task = panel.tasks.get(judgement.task)
        if task is None or not judgement.comment.strip():
            continue
        about = f"{task.left}, {task.image}"
        if task.right is not None:
            about = f"{task.image}; left was {task.left}, right was {task.right}"
        yield CommentLine(judgement.rater, about, _cut(judgement.comment))
    for event in run.events:
        if isinstance(event, Commented):
            about = f"S{event.state}" + (f", {event.remark.image}" if event.remark.image is not None else "")
            yield CommentLine(event.remark.author, about, _cut(event.remark.text))


def _doubts(run: RunData) -> Iterator[str]:
    """What the numbers rest on, and what is missing."""
    panel = run.trajectory.panel
    again = consistency(panel.tasks, panel.judgements)
    if again.repeated:
        yield (
            f"Pairs that came again with sides swapped: {again.agreed} of {again.repeated} answered alike, "
            f"{again.reversed} the other way round. Guessing one of three answers would give a third."
        )
    elif any(task.kind == "pair" for task in panel.tasks.values()):
        yield "No pair was answered twice by one person: how consistent the answers are is not known."
    alike = agreement(panel.tasks, panel.judgements)
    if alike.compared:
        yield f"Between people: {alike.agreed} of {alike.compared} answers to the same pair were alike."
    bias = side_bias(panel.tasks, panel.judgements)
    if bias.decided:
        judged = "leans to one side beyond chance: distrust it" if bias.clear else "no leaning beyond chance"
        yield (
            f"The left image was chosen {bias.left} of {bias.decided} times "
            f"(95 % interval {100 * bias.low:.0f} to {100 * bias.high:.0f} %): {judged}."
        )
    raters = int(section(run.experiment, "people").get("raters") or 1)
    for question in panel.questions:
        missing = len(panel.lacking(question, raters))
        if question.unanswered:
            yield f"{_asked(question)}: not all answers came by the deadline, and the run went on without them."
        elif missing and not question.closed:
            yield f"{_asked(question)}: {missing} of {len(question.tasks)} questions are open still."
    refused = [event.reason for event in run.events if isinstance(event, Ignored)]
    if refused:
        count = "1 letter was" if len(refused) == 1 else f"{len(refused)} letters were"
        yield f"{count} refused, the last because {_cut(refused[-1], 200)}."


def _finals(panel: Panel) -> Iterator[tuple[str, FinalResult]]:
    """Results by image set; a final side is ``SET/LABEL``."""
    sets: dict[str, dict[str, str]] = {}
    for question in panel.questions:
        for task in question.tasks if question.purpose == "final" else ():
            for side in (task.left, task.right or ""):
                name, _, label = side.rpartition("/")
                sets.setdefault(name, {})[label] = side
    for name, found in sets.items():
        sides: Mapping[str, str] = {label: found[label] for label in sorted(found, key=_in_order)}
        if "selected" in sides:
            yield from ((name, one) for one in final_result(sides, panel.tasks, panel.judgements))


def _in_order(label: str) -> tuple[int, str]:
    known = ("selected", "start", "fixed")
    return (known.index(label) if label in known else len(known), label)


def _asked(question: Question) -> str:
    return "The last pairs" if question.purpose == "final" else f"About S{question.state}"


def _interval(strength: Strength) -> str:
    return f"{signed(strength.low, 2)} to {signed(strength.high, 2)}"


def _count(comparisons: float) -> str:
    return f"{comparisons:.1f}".removesuffix(".0")


def _at(value: float, reach: float) -> float:
    return round(50 + 50 * max(-1.0, min(1.0, value / reach)), 1)


def _cut(text: str, limit: int = MANY_WORDS) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"
