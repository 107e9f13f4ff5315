"""Ten questions about single images against one pooled question, on the embedded model.

    python benchmarks/llm_prefix.py [--rounds 5] [--stages 10] [--images 10] [--threads 2] [--model NAME_OR_GGUF]

With ``share: true`` the questions of one decision begin alike, and an engine with a prefix cache (``repeatable:
false``) reads that beginning once. Each row is a form of answer; its figures are medians over rounds in which the
modes take turns, so that other work on the machine slows all of them: seconds of one pooled question read from its
beginning, seconds of all per-image questions, and the median of the rounds' ratios, in three modes: shared with the cache,
in the paper's order with the cache, and shared in the repeatable mode, which reads every prompt anew. Before each timed
part the cache is emptied by another question. Needs the asset ``smollm2-135m-instruct`` (``lossagent assets fetch``). Exit
status 1 when the rows that the default form (moves) makes cost more than 2.5 pooled questions with the cache.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

from lossagent.agents import LLM, LLMOptions, View, forget
from lossagent.chat.base import AnswerFormat
from lossagent.chat.embedded import Embedded
from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal, Target
from lossagent.records import Decision, Evidence, Message, StageReport, State
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

LIMIT = 2.5
FORMS = (
    {"answer": "moves", "thoughts": "off"},
    {"answer": "moves", "thoughts": "first"},
    {"answer": "json", "thoughts": "off"},
    {"answer": "choice", "thoughts": "off"},
    {"answer": "choice", "thoughts": "off", "evidence": True},
    {"answer": "pattern"},
)


def view(stages: int, images: int) -> View:
    """A run of so many stages, scored by one metric on so many images."""
    names = [f"image{i}" for i in range(images)]

    def feedback(value: float) -> Feedback:
        spread = {n: value + 0.37 * i + 0.01 * ((7 * i + int(100 * value)) % 11) for i, n in enumerate(names)}
        return Feedback(scores={"niqe": spread})

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
    niqe = MetricFacts(
        name="niqe", direction="lower", low=0.0, high=None, needs_reference=False, unit=0.1, implementation="", version=""
    )
    return View(
        trajectory=trajectory,
        head=trajectory.head,
        goal=Goal(targets=(Target(metric="niqe", direction="lower", unit=0.1),)),
        bounds=Bounds(),
        metrics={"niqe": niqe},
        seed=0,
        stage_iterations=100,
        stages_left=1,
    )


def decided(chat: Embedded, options: LLMOptions, seen: View) -> tuple[float, int, int]:
    """(seconds, failed answers, written tokens) of one decision, after a question that has nothing in common."""
    other = (Message(role="user", content="Say yes."),)
    chat.complete(other, AnswerFormat("yes", None, 'root ::= "yes"', 4), 0, 600.0)
    tokens: list[int] = []

    def recall(key, make):
        exchange = forget(key, make)
        tokens.append(exchange.completion_tokens)
        return exchange

    began = time.perf_counter()
    decision = LLM(chat, options).decide(seen, recall)
    return time.perf_counter() - began, decision.failed, sum(tokens)


def row(chats: dict[bool, Embedded], seen: View, form: dict[str, object], rounds: int) -> float:
    """Prints one line; the median ratio of the shared questions with the cache."""
    base = {**form, "retries": 0, "deadline": 600.0, "total": 6000.0}
    pooled, shared, paper = (
        LLMOptions.model_validate({**base, "query": query, "share": share})
        for query, share in (("pooled", False), ("per_image", True), ("per_image", False))
    )
    modes = {
        "pooled": (chats[False], pooled),
        "shared": (chats[False], shared),
        "paper": (chats[False], paper),
        "anew": (chats[True], shared),
        "pooled anew": (chats[True], pooled),
    }
    found = [{name: decided(chat, options, seen) for name, (chat, options) in modes.items()} for _ in range(rounds)]
    seconds = {name: statistics.median(r[name][0] for r in found) for name in modes}
    ratios = {
        name: statistics.median(r[name][0] / r[one][0] for r in found)
        for name, one in (("shared", "pooled"), ("paper", "pooled"), ("anew", "pooled anew"))
    }
    label = " ".join(f"{k}={v}" for k, v in form.items())
    count = LLM(chats[False], pooled)
    sizes = [chats[False].count_tokens(LLM(chats[False], o).prompts(seen, i)) for o, i in ((pooled, None), (shared, "image3"))]
    del count
    written = statistics.median(r["shared"][2] for r in found) / 10
    failed = sum(r[name][1] for r in found for name in modes)
    print(
        f"{label:45s} | {sizes[0]:5d} {sizes[1]:5d} {written:5.0f} | {seconds['pooled']:6.2f} {seconds['shared']:6.2f} "
        f"{ratios['shared']:5.2f} | {seconds['paper']:6.2f} {ratios['paper']:5.2f} | {seconds['pooled anew']:6.2f} "
        f"{seconds['anew']:6.2f} {ratios['anew']:5.2f} | {failed}",
        flush=True,
    )
    return ratios["shared"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stages", type=int, default=10)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    chosen = parser.parse_args(arguments)
    seen = view(chosen.stages, chosen.images)
    chats = {r: Embedded(chosen.model, threads=chosen.threads, repeatable=r) for r in (False, True)}
    ratios = [row(chats, seen, form, chosen.rounds) for form in FORMS]
    for chat in chats.values():
        chat.close()
    return 0 if ratios[0] <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
