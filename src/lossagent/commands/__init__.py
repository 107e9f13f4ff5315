"""The commands of ``lossagent``, a page each. They are imported when the command line starts, not with the library."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Adds every command to the command line."""
    from lossagent.commands import assets, demo, doctor, recipe, report, restore, run, score

    app.command("demo")(demo.demo)
    app.command("run")(run.run)
    app.command("resume")(run.resume)
    app.command("recipe")(recipe.recipe)
    app.command("score")(score.score)
    app.command("restore")(restore.restore_command)
    app.command("report")(report.report)
    app.add_typer(assets.app, name="assets")
    app.command("doctor")(doctor.doctor)
