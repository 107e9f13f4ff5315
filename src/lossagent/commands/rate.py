"""``lossagent rate``."""

from __future__ import annotations

import getpass
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import typer
import yaml
from PIL import Image
from pydantic import ValidationError

from lossagent.chat.neutral import quote
from lossagent.errors import Refused
from lossagent.judgements import Task, Verdict
from lossagent.letters import WORDS, Rating
from lossagent.mailbox import Mailbox, post
from lossagent.preferences import wording
from lossagent.runs import LOOP, read_events, settings_file
from lossagent.trajectory import Trajectory

GAP = 24
"""Pixels of gray between the two images of a sheet."""
GRAY = (119, 119, 119)
HELP = {
    "pair": "l left, r right, t tie; a reason may follow (l less ringing)",
    "rating": "1 to 5; a reason may follow (2 too smooth)",
    "comment": "a line of words",
}
VERDICTS: dict[str, Verdict] = {
    "l": "left",
    "left": "left",
    "r": "right",
    "right": "right",
    "t": "tie",
    "tie": "tie",
}
EVERY = 2.0
"""Seconds between looks for new questions."""


def rate(
    run: Annotated[Path, typer.Argument(help="Run folder that waits for people, or will.")],
    rater: Annotated[str | None, typer.Option(help="Your name; the login name without one.")] = None,
    follow: Annotated[bool, typer.Option(help="Wait for further questions until the run has finished.")] = False,
) -> None:
    """Answers a run's questions in the terminal, blindly: which image is better, a mark, or words.

    Several people can rate at once, each under a name of their own. Images are written into a temporary folder, under
    names that say nothing; open them in any viewer. Answers are read from the standard input, one a line.

    Example: lossagent rate runs/faces --rater ann
    """
    sitting = Sitting(run, _name(rater))
    with tempfile.TemporaryDirectory(prefix="lossagent-rate-") as folder:
        while sitting.answer_all(Path(folder)) and follow and not sitting.finished:
            time.sleep(EVERY)
    typer.echo(sitting.farewell())


@dataclass
class Sitting:
    """One person at one run.

    Attributes:
        run: the run folder.
        rater: the person.
        sent: ids of the tasks answered in this sitting.
        skipped: ids of those left for later.
    """

    run: Path
    rater: str
    sent: set[str] = field(default_factory=set[str])
    skipped: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.trajectory()  # refuses what is no run, before anything else

    def trajectory(self) -> Trajectory:
        """The run as it is now.

        Raises:
            Refused: there is no run, or it has not started.
        """
        events = read_events(self.run)
        if not any(event.kind == "started" for event in events):
            raise Refused(f"the run {self.run} has not started yet: there is nothing to rate.")
        return Trajectory.fold(events)

    @property
    def finished(self) -> bool:
        """Whether the run asks nothing more."""
        trajectory = self.trajectory()
        return trajectory.finished is not None and not trajectory.panel.open

    def open_tasks(self) -> list[Task]:
        """What this person has not answered, in the order in which it was asked."""
        underway = set(self._underway())  # before the log: a letter that is read meanwhile is in the one or the other
        panel = self.trajectory().panel
        answered = {j.task for j in panel.judgements if j.rater == self.rater}
        return [task for task in panel.open if task.id not in answered | underway | self.sent]

    def _underway(self) -> Iterator[str]:
        """Tasks of letters that lie in the mailbox still."""
        for _, letters in Mailbox(self.run).waiting():
            for one in letters:
                if isinstance(one.letter, Rating) and one.letter.rater == self.rater:
                    yield one.letter.task

    def answer_all(self, folder: Path) -> bool:
        """Asks until nothing is left; returns whether the person would answer more."""
        while tasks := [task for task in self.open_tasks() if task.id not in self.skipped]:
            number = len(self.sent) + len(self.skipped) + 1
            if not self._ask(tasks[0], folder, f"[{number}/{number + len(tasks) - 1}]"):
                return False
        return True

    def _ask(self, task: Task, folder: Path, progress: str) -> bool:
        """One task; returns whether to go on."""
        paths = show(task, self.run / "images", folder, len(self.sent) + len(self.skipped) + 1)
        if paths is None:
            typer.echo(f"{progress} the images of {quote(task.image)} are not there; left out.")
            self.skipped.add(task.id)
            return True
        typer.echo(f"\n{progress} {quote(wording(task.kind, own_words(self.run)))}")
        for label, path in paths.items():
            typer.echo(f"  {label:<12} {path}")
        while True:
            line = _line(f"  {HELP[task.kind]}; s skip, q quit > ")
            if line is None or line.lower() in ("q", "quit"):
                return False
            if line.lower() in ("s", "skip"):
                self.skipped.add(task.id)
                return True
            answer = understood(task, line, self.rater)
            if isinstance(answer, Rating):
                post(self.run, answer)
                self.sent.add(task.id)
                return True
            typer.echo(f"  {answer}")

    def farewell(self) -> str:
        """What has become of the sitting, and what comes next."""
        left = len(self.open_tasks())
        said = f"{len(self.sent)} answered by {quote(self.rater, 80)}, {left} open."
        if self.finished:
            return f"{said} The run has finished."
        own = (self.run / LOOP).exists()
        how = "when its loop is started again" if own else f"with: lossagent resume {self.run}"
        return f"{said} If the run has ended to wait, it goes on {how}"


def understood(task: Task, line: str, rater: str) -> Rating | str:
    """The letter that a line means, or what is wrong with it."""
    first, _, rest = line.partition(" ")
    verdict = VERDICTS.get(first.lower()) if task.kind == "pair" else None
    mark = int(first) if task.kind == "rating" and first in ("1", "2", "3", "4", "5") else None
    words = line if task.kind == "comment" else rest.strip()
    if not words and task.kind == "comment":
        return "Please write something, or s to skip."
    if verdict is None and mark is None and task.kind != "comment":
        return f"{quote(first, 40)!r} is no answer; wanted: {HELP[task.kind]}."
    if len(words) > WORDS:
        return f"That is too long: {len(words)} characters, and {WORDS} are allowed."
    return Rating(task=task.id, rater=rater, verdict=verdict, rating=mark, comment=words)


def show(task: Task, images: Path, folder: Path, number: int) -> dict[str, Path] | None:
    """Writes what a person is to look at, under names that tell nothing but the place.

    The pixels are written anew: no metadata of the originals and no link to them.

    Returns:
        label -> file, or ``None`` if an image is not there.
    """
    sides: dict[Literal["left", "right", "image"], str] = (
        {"left": task.left, "right": task.right} if task.right is not None else {"image": task.left}
    )
    sources = {label: images / side / f"{task.image}.png" for label, side in sides.items()}
    if not all(path.is_file() for path in sources.values()):
        return None
    pictures = {label: Image.open(path).convert("RGB") for label, path in sources.items()}
    shown: dict[str, Path] = {}
    for label, picture in pictures.items():
        shown[label] = folder / f"{number:03d}-{label}.png"
        picture.save(shown[label])
    if len(pictures) == 2:
        shown["side by side"] = folder / f"{number:03d}-both.png"
        _sheet(*pictures.values()).save(shown["side by side"])
    return shown


def _sheet(left: Image.Image, right: Image.Image) -> Image.Image:
    sheet = Image.new("RGB", (left.width + GAP + right.width, max(left.height, right.height)), GRAY)
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + GAP, 0))
    return sheet


def own_words(run: Path) -> str:
    """The experiment's own question, "" for none."""
    try:
        loaded = yaml.safe_load(settings_file(run).read_text(encoding="utf-8"))
        return str(loaded["people"]["question"] or "")
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return ""


def _name(given: str | None) -> str:
    """The rater's name, refused if a letter could not carry it."""
    try:
        name = given if given is not None else getpass.getuser()
        return Rating(task="", rater=name.strip()).rater
    except ValidationError as error:
        raise Refused(f"--rater must be a name of 1 to 80 characters; found {given!r}.") from error
    except (OSError, KeyError) as error:
        raise Refused("this machine knows no login name: give your name with --rater NAME.") from error


def _line(prompt: str) -> str | None:
    """One line of the standard input, ``None`` at its end."""
    try:
        return input(prompt).strip()
    except EOFError:
        typer.echo("")
        return None
