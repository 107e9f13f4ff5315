"""``lossagent replay``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lossagent.agents.table import create
from lossagent.commands.given import given
from lossagent.errors import Refused
from lossagent.experiment.sections import agent_section, chat_section
from lossagent.replay import OnlyRecorded, Recording, Remade, counterfactual, read_recording, remake
from lossagent.weights import Weights


def replay(
    run: Annotated[Path, typer.Argument(help="Run folder, finished or not.")],
    agent: Annotated[
        str | None,
        typer.Option(help="Another agent: a kind such as respond, YAML such as '{kind: climb}', or a settings file."),
    ] = None,
    chat: Annotated[
        str | None,
        typer.Option(help="Language model for --agent where the recorded answers do not do: settings, as for --agent."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one object.")] = False,
) -> None:
    """Makes every decision of a run again from its record, without a language model; exit status 1 if one differs.

    With --agent: what another agent would have answered at each step of the same trajectory.

    Example: lossagent replay runs/niqe --agent respond
    """
    if chat is not None and agent is None:
        raise Refused("--chat goes with --agent: the run's own agent is given its recorded answers, and asks nobody.")
    recording = read_recording(run)
    steps = remake(recording) if agent is None else _other(recording, agent, chat)
    if as_json:
        typer.echo(json.dumps(_record(recording, agent, steps), indent=1))
    else:
        _print(recording, agent, steps)
    if agent is None and not all(step.same for step in steps):
        raise typer.Exit(1)


def _other(recording: Recording, agent: str, chat: str | None) -> tuple[Remade, ...]:
    model = chat_section(given(chat, "chat")) if chat is not None else OnlyRecorded(recording.exchanges)
    try:
        return counterfactual(recording, create(agent_section(given(agent, "agent")), model))
    finally:
        model.close()


def _record(recording: Recording, agent: str | None, steps: Sequence[Remade]) -> dict[str, Any]:
    return {
        "run": str(recording.path),
        "agent": agent,
        "losses": list(recording.moments[0].trajectory.initial.names),
        "steps": [_step(step) for step in steps],
        "same": sum(step.same for step in steps),
    }


def _step(step: Remade) -> dict[str, Any]:
    then, now = step.moment.decision, step.decision
    return {
        "state": step.moment.state,
        "author": then.author,
        "recorded": {"restart_from": then.restart_from, "replicate": then.replicate, "weights": then.weights.values()},
        "now": None
        if now is None
        else {
            "author": now.author,
            "restart_from": now.restart_from,
            "replicate": now.replicate,
            "weights": now.weights.values(),
            "adjusted_by": list(now.adjusted_by),
        },
        "same": step.same,
        "problem": step.problem,
    }


def _print(recording: Recording, agent: str | None, steps: Sequence[Remade]) -> None:
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    names = ":".join(recording.moments[0].trajectory.initial.names)
    console.print(f"Weights of {names}; the first stage has the initial ones.", markup=False)
    title = "made again" if agent is None else escape(agent)
    table = Table("step", "from", "author", "recorded", "from", title, "same", box=None)
    for step in steps:
        then, now = step.moment.decision, step.decision
        table.add_row(
            str(step.moment.state),
            str(then.restart_from),
            escape(then.author),
            _numbers(then.weights),
            "" if now is None else str(now.restart_from),
            escape(step.problem) if now is None else _numbers(now.weights),
            "yes" if step.same else "NO" if agent is None else "no",
        )
    console.print(table)
    same = sum(step.same for step in steps)
    console.print(f"{same} of {len(steps)} decisions are the same.")


def _numbers(weights: Weights) -> str:
    """``1:0.1:0.01``, as weights are written without their names."""
    return str(weights).partition("=")[2]
