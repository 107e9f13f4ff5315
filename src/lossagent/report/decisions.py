"""Each decision as the page shows it: weights before and after, thoughts, what adjusted it, what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lossagent.feedback import Feedback
from lossagent.goal import Goal
from lossagent.records import REVIEW, Exchange, State
from lossagent.report.limits import Limit, state_limits
from lossagent.report.lookouts import fixed_at, goal_of, run_signs
from lossagent.report.naming import MetricInfo
from lossagent.report.numbers import compact, plain, signed
from lossagent.report.palette import loss_colours
from lossagent.report.reading import RunData
from lossagent.report.timeline import Timeline, timeline
from lossagent.steering.overrides import HUMAN
from lossagent.weights import Weights

QUOTED = 1_200_000
"""Characters of prompts and answers that a page quotes in all; the rest is in the run folder."""

ADJUSTMENTS = {
    "bounds": "the bounds moved the answer",
    "rollback": "rollback: the stage restarts from an earlier state",
    "fallback": "fallback: no usable answer, so the agent did what it does without one",
    "sampled": "the language model tells no log-probabilities: it was asked for one choice instead",
    "patience": "rollback's patience: the best state was gone back to often enough, the best one below it goes on",
    "repeated": "this stage was trained already: its child is accepted and training goes on from there",
    "perturbed": "the answer had been tried from this state already and was moved a little",
    "summary": "the history was too long for the prompt: the agent read a summary",
    "undo": "a person went back to an earlier state",
    "again": "the same stage was trained before: on the next window of data",
    "unanswered": "nobody answered before the deadline: the weights stay",
}

AUTHORS = {
    "initial": "The initial weights",
    HUMAN: "A person decided by hand",
    "deadline": "The deadline decided",
}


@dataclass(frozen=True)
class Change:
    """One weight of a decision."""

    loss: str
    colour: str
    before: str
    proposed: str
    after: str
    arrow: str
    factor: str


@dataclass(frozen=True)
class Quote:
    """A prompt or an answer, foreign text cut to a readable length; ``rest`` says what was cut."""

    title: str
    text: str
    rest: str = ""


@dataclass(frozen=True)
class Question:
    """An exchange as the page shows it."""

    title: str
    facts: str
    problem: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True)
class Card:
    """A decision and what became of it.

    Attributes:
        limits: the goal's constraints, after the stage.
        alarms: what speaks for the objective being played, after the stage.
        problems: (metric, reviewer or people) -> why it gave nothing, after the stage.
        judged: how many answers of people the decision could know.
    """

    stage: str
    author: str
    parent: str
    state: int
    rejected: bool
    selected: bool
    changes: tuple[Change, ...]
    scores: tuple[str, ...]
    limits: tuple[Limit, ...]
    alarms: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]
    judged: str
    thoughts: str
    adjustments: tuple[str, ...]
    retries: str
    questions: tuple[Question, ...]


def cards(
    run: RunData, metrics: Mapping[str, MetricInfo], *, fixed: RunData | None = None, intervals: bool = True
) -> tuple[Card, ...]:
    """The decisions of a run in order.

    Args:
        run: the run.
        metrics: what the page knows of them.
        fixed: the run under fixed weights beside it, for constraints relative to it.
        intervals: ``False`` leaves out alarms that judge a change by its noise.
    """
    texts = [t for one in run.exchanges.values() for e in one for t in (e.raw, *(m.content for m in e.messages)) if t]
    longest = max(400, min(8000, QUOTED // max(1, len(texts))))
    about = _About(
        metrics=metrics,
        goal=goal_of(run),
        fixed=fixed_at(fixed, "feedback"),
        alarms={
            i: tuple(s.sentence for s in found if intervals or s.kind == "ceiling")
            for i, found in run_signs(run, fixed).items()
        },
        axis=timeline(run),
        longest=longest,
    )
    return tuple(_card(run, s, about) for s in run.trajectory.states if s.decision is not None)


@dataclass(frozen=True)
class _About:
    """What all cards of a run share."""

    metrics: Mapping[str, MetricInfo]
    goal: Goal | None
    fixed: Mapping[int, Feedback]
    alarms: Mapping[int, tuple[str, ...]]
    axis: Timeline
    longest: int


def _card(run: RunData, state: State, about: _About) -> Card:
    decision = state.decision
    assert decision is not None
    assert state.parent is not None
    feedback = state.feedback
    before = run.trajectory.weights_at(state.parent)
    asked = tuple(e for e in run.exchanges.get(state.id, ()) if not e.key.startswith(REVIEW))
    failed = decision.failed or sum(e.problem is not None for e in asked)
    retries = ""
    if asked or decision.asked:
        count = decision.asked or len(asked)
        retries = f"{count} {'question' if count == 1 else 'questions'} asked"
        retries += f", {failed} unusable" if failed else ", every answer usable"
    back = "" if state.parent == state.id - 1 else ", not from the state before it"
    return Card(
        stage=f"S{state.parent} → S{state.id}",
        author=AUTHORS.get(decision.author, f"{decision.author} decided"),
        parent=f"from S{state.parent}{back}",
        state=state.id,
        rejected=state.report is not None and about.axis.rejected(state.id),
        selected=run.trajectory.finished is not None and state.id == run.selected.id,
        changes=_changes(before, decision.proposed, decision.weights),
        scores=_scores(run, state, about.metrics),
        limits=()
        if feedback is None
        else state_limits(
            about.goal, feedback, run.trajectory.start.feedback, about.fixed.get(state.depth), about.metrics
        ),
        alarms=about.alarms.get(state.id, ()),
        problems=tuple(feedback.problems.items()) if feedback is not None else (),
        judged=_judged(decision.judged),
        thoughts=decision.thoughts,
        adjustments=tuple(ADJUSTMENTS.get(a, a) for a in decision.adjusted_by),
        retries=retries,
        questions=tuple(_question(e, state, about.longest) for e in asked),
    )


def _judged(count: int) -> str:
    if count == 0:
        return ""
    return "1 answer of people was known" if count == 1 else f"{count} answers of people were known"


def _changes(before: Weights, proposed: Weights, after: Weights) -> tuple[Change, ...]:
    colours = loss_colours(after.names)
    rows: list[Change] = []
    for name in after.names:
        was, now, wished = (
            before[name] if name in before.names else 0.0,
            after[name],
            proposed.values().get(name, 0.0),
        )
        if was == now:
            arrow, factor = "=", "kept"
        elif was == 0 or now == 0:
            arrow, factor = ("↑", "switched on") if was == 0 else ("↓", "switched off")
        else:
            arrow, factor = ("↑" if now > was else "↓"), f"×{compact(now / was)}"
        asked = "" if abs(wished - now) <= 1e-9 * max(1.0, abs(now)) else _weight(wished)
        rows.append(Change(name, colours[name], _weight(was), asked, _weight(now), arrow, factor))
    return tuple(rows)


def _weight(value: float) -> str:
    return compact(value) if value else "off"


def _scores(run: RunData, state: State, metrics: Mapping[str, MetricInfo]) -> tuple[str, ...]:
    """Feedback after the stage, objectives first: ``niqe ↓ 6.90 (−0.15)`` against the parent."""
    if state.feedback is None:
        return ("trained, not scored yet",) if state.report is not None else ("not trained yet",)
    assert state.parent is not None
    parent = run.trajectory.states[state.parent].feedback
    texts: list[str] = []
    for metric in metrics.values():
        now = state.feedback.mean(metric.name)
        was = parent.mean(metric.name) if parent is not None else None
        if now is None:
            if was is not None or metric.name in state.feedback.scores:
                texts.append(f"{metric.name} {metric.arrow} no score")
            continue
        places = metric.places(now)
        change = f" ({signed(now - was, places)})" if was is not None else ""
        texts.append(f"{metric.name} {metric.arrow} {plain(now, places)}{change}")
    return tuple(texts) or ("no score",)


def _question(exchange: Exchange, state: State, longest: int) -> Question:
    tokens = exchange.prompt_tokens + exchange.completion_tokens
    facts = [exchange.author, f"{exchange.seconds:.1f} s"]
    if tokens:
        facts.append(f"{exchange.prompt_tokens:,} + {exchange.completion_tokens:,} tokens")
    if exchange.image:
        facts.append(f"about {exchange.image}")
    if exchange.weights is not None:
        facts.append(f"read as {exchange.weights}")
    quotes = [_quote("Raw answer", exchange.raw, longest, state) if exchange.raw is not None else None]
    quotes += [_quote(f"Prompt: {m.role}", m.content, longest, state) for m in exchange.messages]
    return Question(exchange.key, " · ".join(facts), exchange.problem or "", tuple(q for q in quotes if q is not None))


def _quote(title: str, text: str, longest: int, state: State) -> Quote:
    if len(text) <= longest:
        return Quote(title, text)
    rest = f"{len(text) - longest:,} more characters are in exchanges/{state.name}.jsonl"
    return Quote(title, text[:longest], rest)
