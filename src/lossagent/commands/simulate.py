"""``lossagent simulate fit``, ``check`` and ``compare``."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from lossagent.commands.given import given
from lossagent.errors import Refused
from lossagent.experiment.sections import chat_section
from lossagent.simulator import Fidelity, Model, check, fit, read_model, read_recorded, write_model
from lossagent.simulator.arms import Arm, agent_of, named_arms, study_arms, with_fixed
from lossagent.simulator.comparing import compare
from lossagent.study.page import write_page
from lossagent.study.plan import Study, parse
from lossagent.study.settings import FIXED, FULL, Primary, best_of

app = typer.Typer(
    help="A fast stand-in for training, fitted to recorded runs: for research on agents.", no_args_is_help=True
)

RUNS = "Study folders and folders of finished runs, of the same losses and stage length."
OBJECTIVE = "Objective of the study, where it has several."


@app.command("fit")
def fit_command(
    runs: Annotated[list[Path], typer.Argument(help=RUNS)],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("model.json"),
    objective: Annotated[str | None, typer.Option(help=OBJECTIVE)] = None,
) -> None:
    """Fits a response model: what a stage under given weights does to scores and losses.

    Example: lossagent simulate fit studies/classical-niqe --out model.json
    """
    model = fit(read_recorded(runs, objective))
    write_model(model, out)
    console = Console(highlight=False, emoji=False, soft_wrap=True, markup=False)
    console.print(f"Fitted to {model.runs} runs, {model.stages} different stages. Model: {out}")
    _print_responses(model, console)
    for note in model.notes:
        console.print(f"Note: {note}")
    console.print("How far it can be trusted: lossagent simulate check, on the same folders.")


@app.command("check")
def check_command(
    runs: Annotated[list[Path], typer.Argument(help=RUNS)],
    objective: Annotated[str | None, typer.Option(help=OBJECTIVE)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one object.")] = False,
) -> None:
    """Holds out each arm and each seed in turn, and shows how well the model predicts what it has not seen.

    Example: lossagent simulate check studies/classical-niqe
    """
    found = check(read_recorded(runs, objective))
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
    else:
        _print_fidelity(found)


@app.command("compare")
def compare_command(
    model: Annotated[Path, typer.Argument(help="Model file of `simulate fit`.")],
    arms: Annotated[
        list[str],
        typer.Option(help="A study file, or an agent: a kind, YAML in one line, a settings file. Repeatable."),
    ],
    out: Annotated[Path, typer.Option(help="Study folder to make.")],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of each arm, the same ones.")] = 200,
    chat: Annotated[
        str | None, typer.Option(help="Language model of agents that ask one; without it they are left out.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")] = None,
) -> None:
    """Compares agents in simulation, over the same seeds, and writes the page of a study that says so.

    Example: lossagent simulate compare model.json --arms study.yaml --arms respond --seeds 200 --out simulated
    """
    console = Console(highlight=False, emoji=False, soft_wrap=True, markup=False)
    read = read_model(model)
    wanted, primary = _arms(arms, read, console)
    talker = chat_section(given(chat, "chat")) if chat is not None else None
    reasons = {arm.name: agent_of(arm, talker) for arm in wanted}
    for reason in reasons.values():
        if reason is not None:
            console.print(reason if chat is not None else f"{reason} Here one is named by --chat SETTINGS.")
    kept = [arm for arm in wanted if reasons[arm.name] is None]
    full = [arm.name for arm in kept if arm.name == FIXED or arm.name.startswith(FULL)]
    known = {*(arm.name for arm in kept), *([best_of(len(full))] if len(full) > 1 else [])}
    if primary is not None and not {primary.arm, primary.against} <= known:
        console.print("The primary comparison is left out with its arm.")
        primary = None
    counts: dict[str, int] = {}

    def done(name: str, runs: int) -> None:
        counts[name] = counts.get(name, 0) + runs
        if counts[name] >= seeds:
            console.print(f"{name}: {counts[name]} simulated runs")

    try:
        compare(read, kept, seeds, out, chat=talker, primary=primary, jobs=jobs or os.cpu_count() or 1, done=done)
    finally:
        if talker is not None:
            talker.close()
    console.print(f"Simulated. Page: {write_page(out)}")


def _arms(texts: Sequence[str], model: Model, console: Console) -> tuple[tuple[Arm, ...], Primary | None]:
    """The arms of study files and agents, the fixed one first if none is given; and a study's primary comparison."""
    found: list[Arm] = []
    agents: list[dict[str, Any]] = []
    primary: Primary | None = None
    for text in texts:
        study = _study(text)
        if study is None:
            agents.append(given(text, "agent"))
            continue
        several, left_out = study_arms(study, model)
        for reason in left_out:
            console.print(f"Left out: {reason}")
        found += several
        primary = primary or study.primary
    found += named_arms(agents, model, [arm.name for arm in found])
    return with_fixed(found, model), primary


def _study(text: str) -> Study | None:
    """The study in a file; ``None`` where the text is no file with arms. Its experiment is not read."""
    file = Path(text)
    if not file.is_file():
        return None
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(f"--arms {file} is not YAML: {error}") from error
    return parse(data) if isinstance(data, dict) and "arms" in data else None


def _print_responses(model: Model, console: Console) -> None:
    table = Table("score", "rate", "delay", "first stage", "training noise", "stages", box=None)
    for one in model.responses:
        if one.channel.is_score:
            table.add_row(
                one.channel.key,
                f"{one.rate:.2f}",
                f"{one.delay:.2f}",
                f"{one.first:+.3g}",
                f"{one.spread:.3g}",
                str(one.stages),
            )
    console.print(table)


def _print_fidelity(found: Fidelity) -> None:
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    table = Table("held out", "score", "stages", "R2", "R2 beyond drift", "rank", "in 90 % interval", box=None)
    for line in found.lines:
        table.add_row(
            f"each {line.held}",
            line.score,
            str(line.stages),
            _number(line.r2),
            _number(line.beyond_drift),
            _number(line.rank),
            f"{100 * line.coverage:.0f} %",
        )
    console.print(table)
    if found.order is not None:
        arms = Table("arm", "runs", "recorded utility", "predicted without it", box=None)
        for one in found.order.lines:
            arms.add_row(one.arm, str(one.runs), f"{one.recorded:+.2f}", f"{one.predicted:+.2f}")
        console.print(arms)
        rank = _number(found.order.rank)
        console.print(f"Order of arms: rank correlation {rank}, {100 * found.order.pairs:.0f} % of pairs alike.")
    for note in found.notes:
        console.print(f"Note: {note}", markup=False)


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.2f}"
