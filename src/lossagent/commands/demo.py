"""``lossagent demo``: the main job, offline, in minutes, with the fixed baseline beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console

from lossagent import recipes
from lossagent.commands.arms import carry_out
from lossagent.experiment import override, parse
from lossagent.report import write_report

ARMS = {
    "llm": ("the language model decides, with rollback", []),
    "fixed": ("the initial weights throughout", ["agent={kind: fixed}", "chat=null"]),
    "random": ("random moves with the same rollback", ["agent={kind: random, rollback: true}", "chat=null"]),
}
NOTES = (
    "These photographs are the few that ship in Python packages. They show that every part works together; they are "
    "far too few to say anything about quality, so no interval is printed and no winner is named.",
    "The embedded model has 135 million parameters: its answers have the right form and show no skill. Bounded moves, "
    "a trust region and rollback limit the harm that it can do. An instruction model of 8 billion parameters or more, "
    "behind any OpenAI-compatible server, is what decides in earnest.",
    "Random moves with the same rollback stand beside it, to show what the guard alone does.",
)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the three runs and the report.")] = Path("runs/demo"),
    changes: Annotated[list[str] | None, typer.Option("--set", help="Changes such as training.stages=4.")] = None,
) -> None:
    """Fine-tunes a super-resolution network under weights that an embedded language model chooses; no network needed.

    Beside it, at the same budget: the fixed weights, and random moves with the same rollback. An interrupted demo
    goes on when it is started again.

    Example: lossagent demo --out runs/demo
    """
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    base = override(yaml.safe_load(recipes.text("demo", "small")), changes or [])
    console.print("LossAgent demo: x4 super-resolution, L1 + perceptual + GAN, steered by NIQE (lower is better).")
    depth: int | None = None
    for arm, (what, settings) in ARMS.items():
        experiment = parse(override(base, [f"name={arm}", *settings]))
        console.print(f"\n[{arm}] {what}", markup=False)
        selected = carry_out(experiment, out / arm, depth, console, f"lossagent demo --out {out}")
        depth = selected if depth is None else depth
    page = write_report(
        [out / arm for arm in ARMS], out / "report.html", title="LossAgent demo", claim_intervals=False, notes=NOTES
    )
    console.print(f"\nReport:   {page}", markup=False)
    console.print(f"Figures:  {page.parent / 'figures'}", markup=False)
    console.print(f"Pictures: {out / 'llm' / 'images'}", markup=False)
