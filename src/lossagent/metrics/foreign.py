"""The metrics of pyiqa (extra ``iqa``), each under the name ``pyiqa:NAME``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.feedback import MetricFacts
from lossagent.iqa import Network, Scalar, entry, version
from lossagent.metrics._checks import check_images, check_pair, crop_border, scores

NO_OPTIONS: Mapping[str, Scalar] = MappingProxyType({})


class PyIQA:
    """A metric that pyiqa computes: any that it lists and that scores an image.

    Its facts are read from pyiqa's table: nothing heavy happens before :meth:`load` or the first score. Licence of
    pyiqa: PolyForm Noncommercial (:func:`lossagent.iqa.licence_notice`).

    Args:
        name: with or without ``pyiqa:``, e.g. ``"maniqa"``.
        options: of pyiqa's own class, e.g. ``{"color_space": "ycbcr", "crop_border": 4}`` for ``psnry``.
        border: pixels left out on each side before pyiqa sees the image.
        device: where it is computed, e.g. ``"cpu"``; ``None`` for where the images are.
        batch: images of one size that it is given at once; ``None`` for 16, or 1 for Q-Align and its kin. Metrics
            that look at random crops get one at a time whatever is said.
        unit: a change worth speaking of; ``None`` for a hundredth of the range, 0.1 for NIQE, PSNR and their kin,
            0.005 for SSIM, LPIPS, DISTS and theirs.
        download: whether weights may be fetched from their authors' addresses.
        unpickle: whether checkpoints may hold more than tensors, which can run any code.

    Raises:
        MissingPackage: pyiqa, or a package that this metric needs, is not installed.
        UnknownName: names the nearest metric of pyiqa.
        Refused: one that cannot score an image (FID, CLIPScore), or an option that it does not take.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Scalar] = NO_OPTIONS,
        *,
        border: int = 0,
        device: str | None = None,
        batch: int | None = None,
        unit: float | None = None,
        download: bool = False,
        unpickle: bool = False,
    ) -> None:
        for parameter, found, least in (("border", border, 0), ("batch", batch, 1)):
            if found is not None and found < least:
                raise Refused(f"metric {name!r}: {parameter} must be at least {least}; found {found}.")
        if unit is not None and not unit > 0:
            raise Refused(f"metric {name!r}: unit must be positive; found {unit}.")
        self.entry = entry(name)
        self.network = Network(self.entry, options, download=download, unpickle=unpickle)
        self.border = border
        self.device = _device(name, device)
        self.unit = unit if unit is not None else self.entry.unit
        if batch is not None:
            self.network.batch = min(batch, self.network.batch) if self.network.batch == 1 else batch

    @property
    def batch(self) -> int:
        """Images that are scored at once."""
        return self.network.batch

    @property
    def facts(self) -> MetricFacts:
        """What pyiqa's table says; once it was loaded, with the files of its weights and their hashes."""
        options: dict[str, str | int | float | bool] = {
            **{name: value for name, value in self.entry.options.items() if isinstance(value, str | int | float)},
            **self.network.options,
            "border": self.border,
        }
        for file, digest in self.network.files.items():
            options[f"sha256 of {file}"] = digest
        return MetricFacts(
            name=self.entry.full_name,
            direction=self.entry.direction,
            low=self.entry.low,
            high=self.entry.high,
            needs_reference=self.entry.needs_reference,
            unit=self.unit,
            implementation="pyiqa",
            version=version(),
            options=options,
        )

    def load(self) -> None:
        """Makes the network now, which is otherwise done at the first score.

        Raises:
            MissingAsset: weights that are not on this machine; the message says which file goes where.
            MissingPackage: a package that it imports is not installed.
            Refused: whatever else pyiqa says.
        """
        self.network.load(self.device or torch.device("cpu"))

    def release(self) -> None:
        """Gives its memory back; it is loaded again at the next score."""
        self.network.release()

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """Scores, in float32 inside pyiqa. A reference is looked at by those that compare.

        Raises:
            MissingAsset, MissingPackage: see :meth:`load`.
            Refused: values outside [0, 1], a missing reference or other sizes, or whatever pyiqa raises for the image.
        """
        if self.entry.needs_reference:
            reference = check_pair(restored, reference, self.entry.full_name)
        else:
            check_images(restored, "restored")
            reference = None
        device = self.device or restored.device
        given = crop_border(restored.detach(), self.border).to(device, torch.float32)
        wanted = None if reference is None else crop_border(reference.detach(), self.border).to(device, torch.float32)
        with torch.no_grad():
            return scores(self.network(given, wanted))


def _device(name: str, device: str | None) -> torch.device | None:
    if device is None:
        return None
    try:
        found = torch.device(device)
    except RuntimeError:
        raise Refused(f"metric {name!r}: device must be cpu, cuda, cuda:1, ...; found {device!r}.") from None
    there = torch.cuda.device_count()
    if found.type == "cuda" and (found.index or 0) >= there:
        raise Refused(f"metric {name!r}: this machine has {there} CUDA devices; found device {device!r}.")
    return found
