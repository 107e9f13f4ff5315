"""The last word of a run that people judge: blind pairs on unseen images."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from lossagent.build import Parts
from lossagent.errors import Waiting
from lossagent.preferences import final_pairs
from lossagent.runs import sync_folder
from lossagent.steering import Steering


def last_word(parts: Parts, run: Path, steering: Steering) -> None:
    """Asks people for blind pairs of the selected state with the start, and with the fixed run where it is known.

    They see images of the first test set, on which nothing was chosen. Asked once; nothing where nobody is asked.

    Raises:
        Waiting: they have not answered, and the deadline is not over.
    """
    people, finished = parts.experiment.people, steering.trajectory.finished
    if people is None or people.final == 0 or finished is None:
        return
    if not parts.sets.test:
        _once(steering, "people are not asked for final pairs: there is no test set of unseen images (data.test).")
        return
    question = steering.trajectory.panel.question(finished.selected, "final")
    if question is None:
        name = next(iter(parts.sets.test))
        sides = {label: f"{name}/{label}" for label in ("selected", "start")}
        images = sorted(p.stem for p in (run / "images" / name / "selected").glob("*.png"))[: people.final]
        if parts.experiment.fixed_run is not None:
            why_not = _bring(parts.experiment.fixed_run, run, name, parts.sets.record().get(name), images)
            if why_not is None:
                sides["fixed"] = f"{name}/fixed"
            else:
                _once(steering, f"people are not asked to compare with the fixed run: {why_not}.")
        if finished.selected == 0:  # the start was kept: there is nothing to compare it with but the fixed run
            del sides["start"]
        tasks = final_pairs(sides, images, parts.experiment.seed)
        if not tasks:
            _once(steering, "people are not asked for final pairs: the start was kept, and no fixed run is known.")
            return
        steering.people.ask(
            finished.selected, "final", tasks, None if people.deadline is None else time.time() + people.deadline
        )
        question = steering.trajectory.panel.question(finished.selected, "final")
    assert question is not None
    if question.closed:
        return
    missing = steering.trajectory.panel.lacking(question, people.raters)
    if missing and (question.deadline is None or time.time() < question.deadline):
        raise Waiting(
            f"the last word: {len(missing)} blind pairs on unseen images wait for an answer. Give it in a browser "
            f"(lossagent dashboard {run}) or here (lossagent rate {run}).",
            question.deadline,
        )
    steering.people.close(finished.selected, "final", unanswered=bool(missing))


def _bring(fixed: Path, run: Path, name: str, ours: object, images: list[str]) -> str | None:
    """Copies the fixed run's pictures of a test set, so that the run folder has all that people see.

    Returns:
        Why there are none to compare with, ``None`` where there are.
    """
    source, target = fixed / "images" / name / "selected", run / "images" / name / "fixed"
    try:
        theirs = json.loads((fixed / "environment.json").read_text(encoding="utf-8"))["image_sets"].get(name)
    except (OSError, ValueError, KeyError):
        return f"{fixed} cannot be read"
    if theirs != json.loads(json.dumps(ours)):
        return f"its test set {name!r} has other images"
    if lacking := [image for image in images if not (source / f"{image}.png").is_file()]:
        return f"it kept no picture of {lacking[0]!r} (pictures: {len(images)} in its experiment)"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    sync_folder(target.parent)
    return None


def _once(steering: Steering, text: str) -> None:
    if not any(event.kind == "warned" and event.text == text for event in steering.book.log.events):
        steering.warn(text)
