"""What was asked, in words: goal, agent, budget, start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lossagent.report.degradations import degradation_words
from lossagent.report.naming import agent_words, goal_targets
from lossagent.report.numbers import compact
from lossagent.report.reading import EvaluatedSet, RunData, section
from lossagent.report.sets import OTHER_PURPOSE, PURPOSES, sets_of
from lossagent.report.timeline import timeline


@dataclass(frozen=True)
class Fact:
    """A line of "what was asked"; ``quoted`` words are foreign and shown as a quotation."""

    label: str
    text: str
    quoted: str = ""


def asked(run: RunData) -> tuple[Fact, ...]:
    """What was asked of a run, as far as its experiment says."""
    facts = [Fact("Goal", goal_words(run), str(section(run.experiment, "goal").get("wish") or ""))]
    facts.append(Fact("Agent", agent_sentence(run)))
    facts.append(Fact("Losses", losses_words(run)))
    facts.append(Fact("Held to", bounds_words(run)))
    facts.append(Fact("Budget", budget_words(run)))
    facts.append(Fact("Start", start_words(run)))
    facts.append(Fact("Images", images_words(run)))
    facts.append(Fact("Degradation", degradation_words(run)))
    return tuple(f for f in facts if f.text or f.quoted)


def goal_words(run: RunData) -> str:
    """Targets and constraints as a sentence."""
    parts: list[str] = []
    for target in goal_targets(run):
        verb = "lower" if target.get("direction") == "lower" else "raise"
        extra = []
        if target.get("importance", 1.0) != 1.0:
            extra.append(f"importance {compact(float(target['importance']))}")
        if target.get("unit") is not None:
            extra.append(f"a change of {compact(float(target['unit']))} counts one point")
        parts.append(f"{verb} {target.get('metric')}" + (f" ({', '.join(extra)})" if extra else ""))
    sentence = " and ".join(parts)
    goal = section(run.experiment, "goal")
    limits = goal.get("constraints") or ()
    rules = [constraint_words(c) for c in limits if isinstance(c, dict)]
    if rules:
        sentence += f"{'; ' if sentence else ''}while {' and '.join(rules)}"
    if stand_ins := [str(p.get("metric")) for p in goal.get("proxy") or () if isinstance(p, dict)]:
        stands = "stands" if len(stand_ins) == 1 else "stand"
        sentence += f"{'; ' if sentence else ''}{' and '.join(stand_ins)} {stands} in where a number is needed"
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""


def constraint_words(rule: Mapping[str, Any]) -> str:
    """A constraint as part of a sentence: ``psnr_y stays at least the start's score − 0.3``."""
    side = "at least" if rule.get("at_least") is not None else "at most"
    value = rule.get("at_least") if rule.get("at_least") is not None else rule.get("at_most")
    base = {"start": "the start's score", "fixed": "the fixed run's score"}.get(str(rule.get("relative_to")), "")
    if base and isinstance(value, int | float):
        sign = "−" if value < 0 else "+"
        by = f" {sign} {compact(abs(float(value)))}" if value else ""
        return f"{rule.get('metric')} stays {side} {base}{by}"
    return f"{rule.get('metric')} stays {side} {value}"


def agent_sentence(run: RunData) -> str:
    """The agent with its settings."""
    settings = section(run.experiment, "agent")
    chat = section(run.experiment, "chat")
    text = agent_words(run)
    plainly = [f"{k} {_short(v)}" for k, v in settings.items() if k not in ("kind", "rollback") and _is_plain(v)]
    if plainly:
        text += f"; {', '.join(plainly[:10])}"
    if chat:
        named = chat.get("model") or chat.get("kind")
        text += f"; language model: {named}"
    return text + "."


def losses_words(run: RunData) -> str:
    """The loss repository and its initial weights w¹."""
    losses = section(run.experiment, "losses")
    parts: list[str] = []
    for name, weight in run.trajectory.initial.values().items():
        one = losses.get(name)
        about = [str(one[k]) for k in ("kind", "backbone") if one.get(k)] if isinstance(one, dict) else []
        about = [a for a in about if a != name]
        parts.append(f"{name} {compact(weight)}" + (f" ({', '.join(about)})" if about else ""))
    return f"{', '.join(parts)} are the weights of the first stage; ratios are taken to {run.anchor}."


def bounds_words(run: RunData) -> str:
    """What answers were projected into."""
    bounds = section(run.experiment, "bounds")
    if not bounds:
        return ""
    parts: list[str] = []
    if bounds.get("low") is not None or bounds.get("high") is not None:
        parts.append(f"weights in [{_short(bounds.get('low'))}, {_short(bounds.get('high'))}]")
    if bounds.get("trust") is not None:
        parts.append(f"at most a factor {_short(bounds['trust'])} a stage")
    if bounds.get("frozen"):
        parts.append(f"frozen: {', '.join(str(f) for f in bounds['frozen'])}")
    if bounds.get("switch") is False:
        parts.append("no switching on or off")
    return ("; ".join(parts) or "weights ≥ 0, nothing else") + "."


def budget_words(run: RunData) -> str:
    """Stages and iterations asked for, and those that were trained."""
    training = section(run.experiment, "training")
    per_stage = training.get("iterations") or run.experiment.get("iterations")
    stages = run.trajectory.stages
    text = f"{stages} {'stage' if stages == 1 else 'stages'}"
    if isinstance(per_stage, int) and (per_stage > 1 or not run.own_loop):
        text += f" of {per_stage:,} iterations ({stages * per_stage:,} in all)"
    warm = run.trajectory.start.report
    if warm is not None and warm.iterations:
        text += f", after {warm.iterations:,} iterations of warm-up that count"
    spent = timeline(run)
    trained = f"{spent.total:,} iterations were trained" if spent.counted else f"{spent.total} of them were trained"
    return f"{text}; {trained}. Rejected stages count as much as kept ones."


def start_words(run: RunData) -> str:
    """Network, checkpoint, scale, optimizer settings."""
    restorer = section(run.experiment, "restorer")
    training = section(run.experiment, "training")
    parts: list[str] = []
    if restorer.get("network"):
        parts.append(f"network {restorer['network']}")
    if restorer.get("start"):
        parts.append(f"from checkpoint {restorer['start']}")
    if run.own_loop:
        parts.append("training and restoring are the loop's own")
    if run.experiment.get("scale") not in (None, 1):
        parts.append(f"×{run.experiment['scale']}")
    for key, name in (("learning_rate", "learning rate"), ("ema", "EMA"), ("batch", "batch")):
        value = training.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            parts.append(f"{name} {compact(float(value))}")
    if run.experiment.get("seed") is not None:
        parts.append(f"seed {run.experiment['seed']}")
    return ", ".join(parts) + "." if parts else ""


def images_words(run: RunData) -> str:
    """How many images each set has, and what it is for."""
    sets = section(run.environment, "image_sets")
    purposes = {"train": "trained on", **PURPOSES}
    parts = [
        f"{sum(not _is_input(image) for image in images)} {name} ({purposes.get(name, OTHER_PURPOSE)})"
        for name, images in sets.items()
        if isinstance(images, list)
    ]
    if not parts and (shown := len(sets_of(run).get("feedback", EvaluatedSet()).images)):
        parts = [f"{shown} feedback ({PURPOSES['feedback']})"]
    return f"{', '.join(parts)}." if parts else ""


def _is_input(image: object) -> bool:
    """Whether a row of the record is a ready-made input beside its image rather than an image."""
    return isinstance(image, dict) and str(image.get("name", "")).endswith(" (input)")


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and len(str(value)) < 60


def _short(value: object) -> str:
    if value is None:
        return "open"
    if isinstance(value, bool):
        return "on" if value else "off"
    return compact(float(value)) if isinstance(value, int | float) else str(value)
