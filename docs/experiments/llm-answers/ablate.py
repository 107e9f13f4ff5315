"""The language-model agent's answers on recorded trajectories, one setting changed at a time.

    python docs/experiments/llm-answers/ablate.py answers.jsonl RUN [RUN ...]

Every second decision of the runs, the first one aside, is asked for again under every variant, at temperature 0 and
without retries: the first answers count. Some variants are asked twice more: with the score turned round (its other
direction is the better one), and with every score changed by a thousandth, which should change nothing. Answers are
appended to the file as they come; started again, what is in it is not asked again. The tables are printed at the end.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lossagent.agents.table import create, settings_of
from lossagent.chat.base import ChatModel
from lossagent.chat.table import EmbeddedSettings, ServerSettings
from lossagent.chat.table import create as create_chat
from lossagent.events import Told
from lossagent.replay import Moment, Recording, counterfactual, read_recording
from lossagent.steering.overrides import HUMAN
from lossagent.trajectory import Trajectory

BASE: dict[str, Any] = {"answer": "moves", "query": "pooled"}
VARIANTS: dict[str, dict[str, Any]] = {
    "moves (the default)": {},
    "moves, thoughts last": {"thoughts": "last"},
    "moves, no thoughts": {"thoughts": "off"},
    "moves, no evidence": {"evidence": False},
    "moves, all evidence": {"evidence": True},
    "moves, last two states": {"history": 2},
    "moves, no example": {"example": False},
    "moves, direction not in the system prompt": {"direction": "system_off"},
    "moves, direction nowhere": {"direction": "all_off"},
    "moves, one question an image": {"query": "per_image", "share": True, "thoughts": "off"},
    "choice": {"answer": "choice"},
    "choice, all evidence": {"answer": "choice", "evidence": True},
    "choice, all evidence, no thoughts": {"answer": "choice", "evidence": True, "thoughts": "off"},
    "json": {"answer": "json"},
    "pattern": {"answer": "pattern"},
    "pattern, not constrained": {"answer": "pattern", "constrain": False, "evidence": False},
    "pattern, not constrained, no example": {
        "answer": "pattern", "constrain": False, "evidence": False, "example": False
    },
}  # fmt: skip
TURNED = ("moves (the default)", "moves, all evidence", "choice", "choice, all evidence", "json", "pattern")
SETTINGS = {"retries": 0, "deadline": 900.0, "total": 9000.0}
NUDGE = 1.001


def main() -> None:
    """Asks what is not in the file yet, then prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("runs", type=Path, nargs="*")
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--base-url", help="of an OpenAI-compatible server that has the model; embedded without it")
    parser.add_argument("--every", type=int, default=2, help="of every so many decisions one is asked for again")
    asked = parser.parse_args()
    lines = asked.file.read_text().splitlines() if asked.file.exists() else []
    known = {(r["variant"], r["version"], r["run"], r["state"]): r for r in map(json.loads, lines)}
    for variant, version, run, moment in _questions(asked.runs, asked.every):
        key = (variant, version, run, moment.state)
        if key not in known:
            known[key] = dict(zip(("variant", "version", "run", "state"), key, strict=True))
            known[key] |= _answer(moment, VARIANTS[variant], _chat(asked.model, asked.base_url))
            with asked.file.open("a") as file:
                file.write(json.dumps(known[key]) + "\n")
    print(_tables(tuple(known.values())))


def _questions(runs: Sequence[Path], every: int) -> Iterator[tuple[str, str, str, Moment]]:
    recordings = [read_recording(run) for run in runs]
    for variant in VARIANTS:
        for version in ("as it was", "turned round", "nudged") if variant in TURNED else ("as it was",):
            for run, recording in zip(runs, recordings, strict=True):
                for moment in recording.moments[1::every]:
                    assert moment.decision.author != HUMAN
                    yield variant, version, "/".join(run.parts[-2:]), _other(moment, version)


def _other(moment: Moment, version: str) -> Moment:
    if version == "turned round":
        return replace(moment, told=_turned(moment.told))
    return replace(moment, trajectory=_nudged(moment.trajectory)) if version == "nudged" else moment


def _turned(told: Told) -> Told:
    """The same run, had the other direction been the better one."""

    def other(direction: str) -> str:
        return "lower" if direction == "higher" else "higher"

    targets = tuple(t.model_copy(update={"direction": other(t.direction)}) for t in told.goal.targets)
    names = {t.metric for t in targets}
    metrics = {
        name: facts.model_copy(update={"direction": other(facts.direction)}) if name in names else facts
        for name, facts in told.metrics.items()
    }
    goal = told.goal.model_copy(update={"targets": targets})
    return told.model_copy(update={"goal": goal, "metrics": metrics})


def _nudged(trajectory: Trajectory) -> Trajectory:
    states = []
    for state in trajectory.states:
        if state.feedback is not None:
            scores = {
                metric: {image: score * NUDGE if score is not None else None for image, score in images.items()}
                for metric, images in state.feedback.scores.items()
            }
            state = state.model_copy(update={"feedback": state.feedback.model_copy(update={"scores": scores})})
        states.append(state)
    return replace(trajectory, states=tuple(states))


@functools.cache
def _chat(model: str, base_url: str | None) -> ChatModel:
    if base_url is not None:
        return create_chat(ServerSettings(base_url=base_url, model=model, temperature=0.0))
    return create_chat(EmbeddedSettings(model=model, temperature=0.0, threads=1))


def _answer(moment: Moment, changes: Mapping[str, Any], chat: ChatModel) -> dict[str, Any]:
    agent = create(settings_of("llm").model_validate({**BASE, **SETTINGS, **changes}), chat)
    began = time.process_time()
    (made,) = counterfactual(Recording(Path(), None, (moment,)), agent)
    assert made.decision is not None
    head = moment.trajectory.head
    return {
        "asked": made.decision.asked,
        "failed": made.decision.failed,
        "before": moment.trajectory.weights_at(head.id).values(),
        "after": made.decision.weights.values(),
        "thoughts": made.decision.thoughts,
        "cpu_seconds": round(time.process_time() - began, 2),
    }


def _tables(answers: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| variant | decisions | valid first answers | weights moved | same as the default |",
        "|---|---|---|---|---|",
    ]
    first = next(iter(VARIANTS))
    by = {(a["variant"], a["version"], a["run"], a["state"]): a for a in answers}
    for variant in VARIANTS:
        rows = [a for a in answers if a["variant"] == variant and a["version"] == "as it was"]
        if not rows:
            continue
        asked, failed = (sum(a[k] for a in rows) for k in ("asked", "failed"))
        moved = sum(not _same(a["before"], a["after"]) for a in rows)
        like = sum(_same(a["after"], by[first, "as it was", a["run"], a["state"]]["after"]) for a in rows)
        lines.append(f"| {variant} | {len(rows)} | {asked - failed} of {asked} | {moved} | {like} |")
    lines += [
        "",
        "| variant | decisions | changed by turning the score round | changed by a thousandth |",
        "|---|---|---|---|",
    ]
    for variant in TURNED:
        rows = [a for a in answers if a["variant"] == variant and a["version"] == "as it was"]
        counts = [
            sum(not _same(a["after"], by[variant, version, a["run"], a["state"]]["after"]) for a in rows)
            for version in ("turned round", "nudged")
            if all((variant, version, a["run"], a["state"]) in by for a in rows)
        ]
        if rows and len(counts) == 2:
            lines.append(f"| {variant} | {len(rows)} | {counts[0]} | {counts[1]} |")
    return "\n".join(lines)


def _same(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
    return all(abs(a[name] - b[name]) <= 1e-9 * max(a[name], b[name]) for name in a)


if __name__ == "__main__":
    main()
