"""The loss log: buffered on the device, written every few iterations, cut back on resume."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from torch import Tensor

from lossagent.errors import Damaged, Diverged
from lossagent.runs import read_lines, write_atomically
from lossagent.training.ranks import Ranks


class LossLog:
    """Collects the raw losses of a stage and writes ``losses.jsonl``.

    Reading a number from a GPU waits for it, so values stay on the device until :meth:`flush`.

    Args:
        path: the file; ``None`` writes none.
        state: id of the state being trained.
        rate: learning rate, for the record, where :meth:`add` brings none.
        batch: samples an iteration over all processes, for images a second.
        max_skipped: skipped iterations in a row that end the run.
        ranks: the processes whose values are averaged; all of them call :meth:`add` and :meth:`flush`, and each comes
            to the same conclusions.
    """

    def __init__(
        self,
        path: Path | None,
        state: int,
        rate: float,
        batch: int,
        max_skipped: int,
        ranks: Ranks | None = None,
    ) -> None:
        self.path, self.state, self.rate, self.batch, self.max_skipped = path, state, rate, batch, max_skipped
        self.ranks = ranks or Ranks()
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.skipped = self.clipped = self.in_a_row = 0
        self._names: list[tuple[str, ...]] = []
        self._rows: list[Tensor] = []
        self._where: list[tuple[int, tuple[str, ...], float]] = []
        self._began = time.perf_counter()

    def add(
        self, iteration: int, images: tuple[str, ...], values: dict[str, Tensor], rate: float | None = None
    ) -> None:
        """Takes the detached scalars of one iteration; "bad", "bad/NAME" and "clipped" among them are flags."""
        self._names.append(tuple(values))
        self._rows.append(torch.stack([v.detach().float().reshape(()) for v in values.values()]))
        self._where.append((iteration, images, self.rate if rate is None else rate))

    def flush(self) -> list[str]:
        """Writes what was collected; returns warnings.

        Raises:
            Diverged: ``max_skipped`` iterations in a row were skipped.
        """
        if not self._rows:
            return []
        now = time.perf_counter()
        speed = len(self._rows) * self.batch / max(now - self._began, 1e-9)
        self._began = now
        lines: list[str] = []
        warnings: list[str] = []
        too_many = False
        # One transfer for all rows, which differ in length where discriminators were warmed up.
        numbers = iter(self.ranks.mean(torch.cat(self._rows)).tolist())
        rows = [[next(numbers) for _ in names] for names in self._names]
        for names, (iteration, images, rate), row in zip(self._names, self._where, rows, strict=True):
            values = dict(zip(names, row, strict=True))
            bad = any([values.pop(name) > 0 for name in names if name.startswith("bad")])
            self.clipped += int(values.pop("clipped", 0.0) > 0)
            lines.append(self._line(iteration, values, bad, speed, rate))
            if bad:
                every = [name for part in self.ranks.gather(images) for name in part]
                warnings.append(self._bad(iteration, every, values))
                too_many |= self.in_a_row >= self.max_skipped
                continue
            self.in_a_row = 0
            for name, value in values.items():
                self.sums[name] = self.sums.get(name, 0.0) + value
                self.counts[name] = self.counts.get(name, 0) + 1
        self._names, self._rows, self._where = [], [], []
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in lines))
        if too_many:
            raise Diverged(
                f"{self.max_skipped} iterations in a row had a non-finite loss or gradient (training.max_skipped). "
                f"{warnings[-1]} The last good checkpoint is intact; lower the learning rate or the weight named."
            )
        return warnings

    def _bad(self, iteration: int, images: list[str], values: dict[str, float]) -> str:
        self.skipped += 1
        self.in_a_row += 1
        broken = [n for n, v in values.items() if v != v or abs(v) == float("inf")]
        what = f"non-finite loss {', '.join(broken)}" if broken else "non-finite gradient with finite losses"
        return (
            f"state {self.state}, iteration {iteration}: {what}; step skipped; images {', '.join(sorted(set(images)))}."
        )

    def _line(self, iteration: int, values: dict[str, float], bad: bool, speed: float, rate: float) -> str:
        def finite(value: float) -> float | None:
            return value if value == value and abs(value) != float("inf") else None

        record: dict[str, object] = {
            "state": self.state,
            "iteration": iteration,
            "raw": {n[4:]: finite(v) for n, v in values.items() if n.startswith("raw/")},
            "total": finite(values["total"]) if "total" in values else None,
            "discriminator": {n[14:]: finite(v) for n, v in values.items() if n.startswith("discriminator/")},
            "lr": rate,
            "images_per_second": round(speed, 2),
        }
        return json.dumps(record | ({"skipped": True} if bad else {}))

    def means(self, prefix: str) -> dict[str, float]:
        """Mean of every value whose name starts with a prefix, over iterations that were not skipped."""
        return {n[len(prefix) :]: s / self.counts[n] for n, s in self.sums.items() if n.startswith(prefix)}

    def state_dict(self) -> dict[str, object]:
        """What a partial checkpoint keeps, after a flush."""
        return {
            "sums": self.sums,
            "counts": self.counts,
            "skipped": self.skipped,
            "clipped": self.clipped,
            "in_a_row": self.in_a_row,
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores :meth:`state_dict`."""
        for name, value in state.items():
            setattr(self, name, value)


def cut_back(path: Path, state: int, iteration: int) -> None:
    """Removes the lines of a state from an iteration on, and a torn last line: they are trained again."""
    if not path.exists():
        return
    lines, torn = read_lines(path)

    def kept(line: str) -> bool:
        try:
            record = json.loads(line)
        except ValueError as error:
            raise Damaged(f"{path} holds a line that cannot be read: {error}") from error
        return record["state"] != state or record["iteration"] < iteration

    keep = [line for line in lines if kept(line)]
    if torn or len(keep) != len(lines):
        write_atomically(path, "".join(line + "\n" for line in keep))
