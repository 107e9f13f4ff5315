"""Questions about single images against one pooled question, on the embedded model.

    python benchmarks/llm_prefix.py [--rounds 5] [--stages 10] [--images 10] [--threads 1] [--model NAME_OR_GGUF]

With ``share: true`` the questions of one decision begin alike, and an engine with a prefix cache (``repeatable:
false``) reads that beginning once. Printed for each form of answer: tokens of the pooled prompt, of an image's prompt
and of its answer; then, as multiples of one pooled question in the same mode, the cost of all per-image questions:
shared with the cache, in the paper's order with the cache, and shared in the repeatable mode, which reads every prompt
anew. Cost is processor time of this process, engine included: with one thread it is the wall-clock time of a machine
that does nothing else, and other work on the machine disturbs it little. Modes take turns within a round, the cache is
emptied before each decision, and figures are medians over rounds; wall-clock seconds stand beside them.

Needs the asset ``smollm2-135m-instruct`` (``lossagent assets fetch``). Exit status 1 when moves or numbers without
reasons cost more than 2.5 pooled questions, shared and with the cache.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from lossagent.agents import LLM, LLMOptions, View
from lossagent.agents.llm.scores import images_of
from lossagent.chat.base import AnswerFormat
from lossagent.chat.embedded import Embedded
from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal, Target
from lossagent.losses.table import LOSSES
from lossagent.records import Decision, Evidence, Message, StageReport, State
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

LIMIT = 2.5
KINDS = {"l1": "l1", "perceptual": "perceptual", "gan": "adversarial"}
GUARDS = ("psnr_y", "ssim_y")
HELD: tuple[dict[str, object], ...] = (
    {"answer": "moves", "thoughts": "off"},
    {"answer": "json", "thoughts": "off"},
)
OTHERS: tuple[dict[str, object], ...] = (
    {"answer": "moves", "thoughts": "first"},
    {"answer": "choice", "thoughts": "off"},
    {"answer": "choice", "thoughts": "off", "evidence": True},
)


def view(stages: int, images: int) -> View:
    """A run of so many stages, scored by one metric on so many images."""
    names = [f"image{i}" for i in range(images)]

    def feedback(value: float) -> Feedback:
        spread = {n: value + 0.37 * i + 0.01 * ((7 * i + int(100 * value)) % 11) for i, n in enumerate(names)}
        guards = {m: dict.fromkeys(names, 27.5321 + value / 50) for m in GUARDS}
        return Feedback(scores={"niqe": spread, **guards})

    facts = Evidence(
        raw={"l1": 0.0312, "perceptual": 0.7741, "gan": 1.2034},
        image_norms={"l1": 1.0, "perceptual": 4.2, "gan": 21.0},
    )
    states = [State(id=0, parent=None, depth=0, report=StageReport(evidence=facts), feedback=feedback(5.9))]
    for i in range(1, stages + 1):
        w = Weights.of({"l1": 1.0, "perceptual": 0.1 * 2 ** ((i * 5) % 3 - 1), "gan": 0.01 * 2 ** ((i * 3) % 5 - 1)})
        report = StageReport(iterations=100, losses=facts.raw, evidence=facts)
        decision = Decision(author="llm", proposed=w, weights=w, restart_from=i - 1)
        scored = feedback(5.9 - 0.2 * i + 0.31 * (i % 3))
        states.append(State(id=i, parent=i - 1, depth=i, decision=decision, report=report, feedback=scored))
    trajectory = Trajectory(tuple(states), states[1].weights or Weights.of({"l1": 1.0}), stages + 1, stages)
    facts_of = functools.partial(
        MetricFacts, low=0.0, high=None, needs_reference=False, unit=0.1, implementation="benchmark", version="1"
    )
    return View(
        trajectory=trajectory,
        head=trajectory.head,
        goal=Goal(targets=(Target(metric="niqe", direction="lower", unit=0.1),)),
        bounds=Bounds(),
        metrics={
            "niqe": facts_of(name="niqe", direction="lower"),
            **{m: facts_of(name=m, direction="higher") for m in GUARDS},
        },
        seed=0,
        stage_iterations=100,
        stages_left=1,
        ceiling={"niqe": 3.9512},
        loss_facts={name: LOSSES.facts(kind) for name, kind in KINDS.items()},
        guards=frozenset(GUARDS),
    )


@dataclass(frozen=True)
class Cost:
    """What one decision took."""

    cpu: float
    wall: float
    written: float
    failed: int


def decided(chat: Embedded, options: LLMOptions, seen: View) -> Cost:
    """One decision, after a question that has nothing in common with it."""
    other = (Message(role="user", content="Say yes."),)
    chat.complete(other, AnswerFormat("yes", None, 'root ::= "yes"', 4), 0, 600.0)
    known = {}

    def recall(key, make):
        return known.setdefault(key, make())

    cpu, wall = time.process_time(), time.perf_counter()
    decision = LLM(chat, options).decide(seen, recall)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    written = statistics.mean(e.completion_tokens for e in known.values())
    return Cost(cpu, wall, written, decision.failed)


def row(chats: dict[bool, Embedded], seen: View, form: dict[str, object], rounds: int) -> float:
    """Prints one line; returns the cost of the shared questions with the cache."""
    base = {**form, "retries": 0, "deadline": 600.0, "total": 6000.0}
    pooled, shared, paper = (
        LLMOptions.model_validate({**base, "query": query, "share": share})
        for query, share in (("pooled", False), ("per_image", True), ("per_image", False))
    )
    modes = {
        "pooled": (chats[False], pooled),
        "shared": (chats[False], shared),
        "paper": (chats[False], paper),
        "pooled anew": (chats[True], pooled),
        "shared anew": (chats[True], shared),
    }
    found = [{name: decided(chat, options, seen) for name, (chat, options) in modes.items()} for _ in range(rounds)]

    def times(name: str, one: str) -> float:
        return statistics.median(r[name].cpu / r[one].cpu for r in found)

    chat, image = chats[False], images_of(seen, ("niqe",))[0]
    sizes = [chat.count_tokens(LLM(chat, o).prompts(seen, i)) for o, i in ((pooled, None), (shared, image))]
    written = statistics.median(r["shared"].written for r in found)
    walls = [statistics.median(r[name].wall for r in found) for name in ("pooled", "shared", "shared anew")]
    ratios = [times("shared", "pooled"), times("paper", "pooled"), times("shared anew", "pooled anew")]
    failed = sum(r[name].failed for r in found for name in modes)
    print(
        f"{', '.join(f'{k} {v}' for k, v in form.items()):36s}",
        f"{sizes[0]:6d} {sizes[1]:6d} {written:6.0f}",
        " ".join(f"{r:8.2f}" for r in ratios),
        " ".join(f"{w:8.1f}" for w in walls),
        f"{failed:6d}",
        sep=" |",
        flush=True,
    )
    return ratios[0]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stages", type=int, default=10)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    chosen = parser.parse_args(arguments)
    seen = view(chosen.stages, chosen.images)
    chats = {r: Embedded(chosen.model, threads=chosen.threads, repeatable=r) for r in (False, True)}
    print(f"{'':36s} |{'tokens':^20s} |{'times one pooled question':^26s} |{'wall-clock seconds':^26s} |")
    print(f"{'form':36s} |pooled  image answer |  shared    paper     anew |  pooled   shared     anew | failed")
    held = [row(chats, seen, form, chosen.rounds) for form in HELD]
    for form in OTHERS:
        row(chats, seen, form, chosen.rounds)
    for chat in chats.values():
        chat.close()
    return 0 if max(held) <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
