"""What the numbers look like: one place of a test image in every arm's selected state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lossagent.report.crops import chosen, enlarged, windows
from lossagent.report.figures.canvas import Figure
from lossagent.report.numbers import plain
from lossagent.report.palette import MUTED, TRUTH, RunStyle
from lossagent.report.pictures import Pixels, Shown, Version, load, png
from lossagent.session.scoring import noisy
from lossagent.study.carrying import RUNS
from lossagent.study.figures.canvas import short
from lossagent.study.jobs import Job
from lossagent.study.outcome import Outcome
from lossagent.study.results import Results, places

COLUMNS, ZOOM, GAP, HEAD = 5, 3, 10, 22
CONTROL = "correlated-noise control"


@dataclass(frozen=True)
class _Row:
    """A version of the images, by the row of the test table that holds its scores."""

    label: str
    colour: str
    role: str
    scored: tuple[Outcome, str]


def crop_figures(folder: Path, results: Results, objective: str, styles: Mapping[str, RunStyle]) -> tuple[Figure, ...]:
    """A figure for each test set of which the runs of one seed still have their pictures, all arms of that seed in it.

    Args:
        folder: of the study.
        results: what it found.
        objective: of the runs.
        styles: arm -> how it is drawn.
    """
    found: list[Figure] = []
    for name in results.sets(objective):
        for seed in _seeds(results, objective):
            rows = tuple(_rows(results, objective, seed, styles))
            images = tuple(_images(folder, results, objective, name, rows))
            if images:
                found.append(_figure(results, objective, name, seed, chosen(images)[0], rows))
                break
    return tuple(found)


def _seeds(results: Results, objective: str) -> list[int]:
    """Seeds, those that most arms have first."""
    counts: dict[int, int] = {}
    for arm in results.arms(objective):
        for seed in results.outcomes[objective][arm]:
            counts[seed] = counts.get(seed, 0) + 1
    return sorted(counts, key=lambda seed: (-counts[seed], seed))


def _rows(results: Results, objective: str, seed: int, styles: Mapping[str, RunStyle]) -> Iterator[_Row]:
    """Ground truth, start and noise first; the arm that the study is about is the one others are compared with."""
    arms = [a for a in results.arms(objective) if a != results.best_of_full and seed in results.outcomes[objective][a]]
    if not arms:
        return
    any_run = results.outcomes[objective][arms[0]][seed]
    yield _Row("ground truth", TRUTH, "truth", (any_run, "reference"))
    yield _Row("untouched start", MUTED, "start", (any_run, "start"))
    yield _Row("start with noise", MUTED, "noise", (any_run, CONTROL))
    about = results.primary.arm if results.primary is not None and results.primary.arm in arms else arms[-1]
    for arm in arms:
        role = "reported" if arm == about else "agent"
        yield _Row(arm, styles[arm].colour, role, (results.outcomes[objective][arm][seed], "selected"))


def _images(folder: Path, results: Results, objective: str, name: str, rows: Sequence[_Row]) -> Iterator[Shown]:
    """Images that every row has, of one size."""
    if not rows:
        return
    folders = {row.label: _place(folder, objective, name, row) for row in rows}
    for file in sorted(folders["untouched start"].glob("*.png")):
        versions: list[Version] = []
        for row in rows:
            pixels = load(folders[row.label] / file.name)
            if pixels is not None and row.role == "noise":
                pixels = noisy({file.stem: pixels}, row.scored[0].seed)[file.stem]
            if pixels is not None:
                versions.append(Version(row.label, row.colour, row.role, pixels))
        if len(versions) == len(rows) and len({v.pixels.shape for v in versions}) == 1:
            yield Shown(file.stem, name, tuple(versions))


def _place(folder: Path, objective: str, name: str, row: _Row) -> Path:
    one, which = row.scored
    run = folder / RUNS / Job(one.arm, objective, one.seed).key / "images" / name
    return run / ("start" if which == CONTROL else which)


def _figure(results: Results, objective: str, name: str, seed: int, shown: Shown, rows: Sequence[_Row]) -> Figure:
    window = windows(shown, 1)[0]
    metric = next(iter(results.compared(objective)), None)
    tiles = [
        (f"{short(row.label, 18)}{_score(row, name, metric, shown.name, results, objective)}", row.colour, version)
        for row, version in zip(rows, shown.versions, strict=True)
    ]
    top, left, side = window
    about = next(row.label for row in rows if row.role == "reported")
    return Figure(
        f"crops-{objective}-{name}",
        f"{name}, image {shown.name}, seed {seed}: {side} × {side} pixels where {about} differs most from the others",
        f"A crop of {shown.name} from column {left}, row {top} in {len(tiles)} versions: "
        f"{', '.join(text for text, _, _ in tiles)}.",
        png(_sheet([(text, colour, enlarged(version, window, ZOOM)) for text, colour, version in tiles])),
        wide=True,
    )  # fmt: skip


def _score(row: _Row, name: str, metric: str | None, image: str, results: Results, objective: str) -> str:
    """The metric of the whole image, behind a blank; "" where it was not scored."""
    one, which = row.scored
    found = one.tests.get(name, {}).get(which)
    score = found.scores.get(metric, {}).get(image) if found is not None and metric is not None else None
    return f" {plain(score, places(results.facts(objective)[metric]))}" if score is not None and metric else ""


def _sheet(tiles: Sequence[tuple[str, str, Pixels]]) -> Pixels:
    """Crops side by side, each under its label."""
    cell = max(pixels.shape[0] for _, _, pixels in tiles)
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (cell + GAP) - GAP, rows * (cell + HEAD + GAP) - GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for i, (text, colour, pixels) in enumerate(tiles):
        x, y = (i % columns) * (cell + GAP), (i // columns) * (cell + HEAD + GAP)
        pen.text((x, y + 3), text, fill=colour, font=font)
        sheet.paste(Image.fromarray(pixels), (x, y + HEAD))
    return np.asarray(sheet, dtype=np.uint8)
