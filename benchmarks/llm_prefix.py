"""Questions about single images against one pooled question, on the embedded model.

    python benchmarks/llm_prefix.py [--rounds 5] [--stages 10] [--images 10] [--threads 1] [--model NAME_OR_GGUF]

With ``share: true`` the questions of one decision begin alike, and an engine with a prefix cache (``repeatable:
false``) reads that beginning once. Printed for each form of answer: tokens of the pooled prompt, of an image's prompt
and of its answer; then what all per-image questions cost as a multiple of one pooled question, shared and with the
cache. Once, for the first form: the same in the paper's order with the cache, and in the repeatable mode, which reads
every prompt anew (against a pooled question in that mode).

Cost is processor time of this process, engine included: with one thread it is the wall-clock time of a machine that
does nothing else, and other work on the machine disturbs it little. Wall-clock seconds stand beside it. The modes take
turns in each round, the cache is emptied before each decision, figures are medians over rounds. Needs the asset
``smollm2-135m-instruct`` (``lossagent assets fetch``). Exit status 1 when moves or choices without reasons cost more
than 2.5 pooled questions.
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
    {"answer": "choice", "thoughts": "off", "evidence": True},
)
OTHERS: tuple[dict[str, object], ...] = (
    {"answer": "moves", "thoughts": "first"},
    {"answer": "json", "thoughts": "off"},
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


def asking(form: dict[str, object], query: str, share: bool) -> LLMOptions:
    """Options without retries, which would be further questions."""
    times = {"retries": 0, "deadline": 600.0, "total": 6000.0}
    return LLMOptions.model_validate({**form, **times, "query": query, "share": share})


def row(chat: Embedded, seen: View, form: dict[str, object], rounds: int) -> float:
    """Prints one line; returns the cost of the shared questions with the cache."""
    pooled, shared = asking(form, "pooled", False), asking(form, "per_image", True)
    found = [(decided(chat, pooled, seen), decided(chat, shared, seen)) for _ in range(rounds)]
    image = images_of(seen, ("niqe",))[0]
    sizes = [chat.count_tokens(LLM(chat, o).prompts(seen, i)) for o, i in ((pooled, None), (shared, image))]
    ratios = [many.cpu / one.cpu for one, many in found]
    print(
        f"{named(form):42s} | {sizes[0]:6d} {sizes[1]:6d} {statistics.median(m.written for _, m in found):6.0f} |"
        f" {statistics.median(o.cpu for o, _ in found):7.2f} {statistics.median(m.cpu for _, m in found):7.2f} |"
        f" {statistics.median(o.wall for o, _ in found):7.1f} {statistics.median(m.wall for _, m in found):7.1f} |"
        f" {statistics.median(ratios):5.2f} ({min(ratios):.2f}-{max(ratios):.2f}) |"
        f" {sum(o.failed + m.failed for o, m in found):4d}",
        flush=True,
    )
    return statistics.median(ratios)


def named(form: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in form.items())


def others(cached: Embedded, repeatable: Embedded, seen: View, form: dict[str, object]) -> None:
    """What is saved, for one form, one round each."""
    pooled, shared, paper = (
        asking(form, "pooled", False),
        asking(form, "per_image", True),
        asking(form, "per_image", False),
    )
    one, anew = decided(cached, pooled, seen).cpu, decided(repeatable, pooled, seen).cpu
    print(f"\n{named(form)}, one round, in pooled questions of the same mode:")
    print(f"  the paper's order, with the cache   {decided(cached, paper, seen).cpu / one:5.2f}", flush=True)
    print(f"  shared, repeatable                  {decided(repeatable, shared, seen).cpu / anew:5.2f}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stages", type=int, default=10)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    chosen = parser.parse_args(arguments)
    seen = view(chosen.stages, chosen.images)
    cached, repeatable = (Embedded(chosen.model, threads=chosen.threads, repeatable=r) for r in (False, True))
    print(f"{'':42s} | {'tokens':20s} | {'processor seconds':15s} | {'wall-clock':15s} |")
    print(f"{'':42s} | pooled  image answer |  pooled  images |  pooled  images | times one pooled  | failed")
    held = [row(cached, seen, form, chosen.rounds) for form in HELD]
    for form in OTHERS:
        row(cached, seen, form, chosen.rounds)
    others(cached, repeatable, seen, HELD[0])
    cached.close()
    repeatable.close()
    return 0 if max(held) <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
