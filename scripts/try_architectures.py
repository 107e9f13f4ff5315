"""Which of spandrel's architectures train here: builds each with random weights and tries it.

    python scripts/try_architectures.py [--weights FILE ...] [--out docs/architectures.md] [--only SPAN DAT]

Each network is made from spandrel's own class, with its defaults where those make a restorer of RGB images and else
with the arguments below, written to a file, opened again by ``lossagent.restorers.load_foreign``, and put through a
forward and a backward pass and one optimizer step in training mode, on two pictures of 32 px (more where it must be)
on the CPU. It is then exported and opened once more. ``--weights`` adds checkpoint files. Needs the
extra ``archs``; some minutes on one core.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import warnings
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from textwrap import fill
from typing import Any

import torch
from torch import nn

from lossagent.errors import LossAgentError
from lossagent.restorers import export_restorer, load_foreign, parameters_without_gradient, reopened
from lossagent.restorers.padding import next_multiple

SIDE = 32
SHUFFLE = {"upscale": 4, "upsampler": "pixelshuffle"}
GRL = {
    "embed_dim": 64,
    "depths": [4] * 4,
    "num_heads_window": [2] * 4,
    "num_heads_stripe": [2] * 4,
    "stripe_size": [32, 64],
    "anchor_window_down_factor": 2,
}
HAT = {"embed_dim": 144, "window_size": 16, "squeeze_factor": 24, "compress_ratio": 24, "mlp_ratio": 2.0}
UFORMER = {"img_size": 128, "embed_dim": 16, "depths": [1, 2, 8, 8, 2, 8, 8, 2, 1], "modulator": True}
WINDOWS = {"window_size": 8, "mlp_ratio": 2.0}

TRIED: list[tuple[str, str, dict[str, Any]]] = [
    ("ATD", "ATD", SHUFFLE | {"embed_dim": 48, "depths": (2, 2), "num_heads": (4, 4), "window_size": 16}),
    ("CRAFT", "CRAFT", {}),
    ("Compact", "Compact", {}),
    ("DAT", "DAT", {"split_size": [8, 16], "embed_dim": 60, "num_heads": [6, 6, 6, 6], "expansion_factor": 2.0}),
    ("DCTLSA", "DCTLSA", {}),
    ("DITN", "DITN", {}),
    ("DRCT", "DRCT", SHUFFLE | {"depths": (6, 6), "num_heads": (6, 6)}),
    ("DRUNet", "DRUNet", {"in_nc": 4, "out_nc": 3}),
    ("DnCNN", "DnCNN", {"in_nc": 3, "out_nc": 3, "nb": 20}),
    ("ESRGAN", "ESRGAN", {}),
    ("FBCNN", "FBCNN", {}),
    ("FDAT", "FDAT", {}),
    ("FFTformer", "FFTformer", {"num_blocks": [2, 2, 2], "num_refinement_blocks": 1}),
    ("GRL", "GRL", SHUFFLE | GRL),
    ("HAT", "HAT", SHUFFLE | HAT),
    ("HVICIDNet", "HVICIDNet", {}),
    ("IPT", "IPT", {}),
    ("KBNet", "KBNet_s", {}),
    ("KBNet", "KBNet_l", {"num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 1}),
    ("MMRealSR", "MMRealSR", {"num_in_ch": 3, "num_out_ch": 3, "num_block": 4}),
    ("MixDehazeNet", "MixDehazeNet", {}),
    ("MoESR", "MoESR", {}),
    ("MoSR", "MoSR", {}),
    ("NAFNet", "NAFNet", {"width": 32, "enc_blk_nums": [1, 1, 1, 28], "dec_blk_nums": [1, 1, 1, 1]}),
    ("OmniSR", "OmniSR", {"res_num": 5}),
    ("PLKSR", "PLKSR", {}),
    ("PLKSR", "RealPLKSR", {}),
    ("RCAN", "RCAN", {"n_resgroups": 4}),
    ("RGT", "RGT", {"embed_dim": 60, "num_heads": [6, 6, 6, 6], "mlp_ratio": 2.0, "split_size": [8, 32]}),
    ("RealCUGAN", "UpCunet2x", {}),
    ("RealCUGAN", "UpCunet4x", {}),
    ("RetinexFormer", "RetinexFormer", {"stage": 1, "num_blocks": [1, 2, 2]}),
    ("SAFMN", "SAFMN", {"dim": 36}),
    ("SAFMNBCIE", "SAFMNBCIE", {"dim": 36}),
    ("SCUNet", "SCUNet", {"config": [2, 2, 2, 2, 2, 2, 2]}),
    ("SPAN", "SPAN", {"num_in_ch": 3, "num_out_ch": 3}),
    ("SeemoRe", "SeemoRe", {"num_experts": 3, "embedding_dim": 36}),
    ("SwiftSRGAN", "SwiftSRGAN", {}),
    ("Swin2SR", "Swin2SR", SHUFFLE | WINDOWS | {"embed_dim": 60}),
    ("SwinIR", "SwinIR", SHUFFLE | WINDOWS | {"embed_dim": 60}),
    ("Uformer", "Uformer", UFORMER),
]  # fmt: skip
"""Module of spandrel.architectures, class, arguments that differ from its defaults."""

LEFT_OUT = {
    "AuraSR": "a GAN generator whose style is drawn at random; 600 M parameters",
    "GFPGAN": "restores faces of 512 px only",
    "LaMa": "inpainting: wants a mask",
    "RestoreFormer": "restores faces of 512 px only",
}


@dataclass
class Row:
    """What was found about one network."""

    name: str
    scale: str = ""
    size: str = ""
    parameters: str = ""
    trains: str = "no"
    idle: tuple[str, ...] = ()
    remarks: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """A row of the table."""
        cells = (self.name, self.scale, self.size, self.parameters, str(len(self.idle)))
        return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"

    def seen(self) -> str:
        """An entry of the list under the table; empty where there is nothing to remark."""
        few = ", ".join(f"`{name}`" for name in self.idle[:2]) + (", ..." if len(self.idle) > 2 else "")
        said = "; ".join([*([f"without gradient: {few}"] if few else []), *self.remarks])
        said += "" if said.endswith("...") else "."
        return (
            fill(f"- {self.name}: {said}", 120, subsequent_indent="  ", break_on_hyphens=False)
            if few or self.remarks
            else ""
        )


def built(module: str, kind: str, arguments: dict[str, Any], folder: Path) -> Path:
    """A file with the random weights of a network."""
    torch.manual_seed(0)
    network = getattr(importlib.import_module(f"spandrel.architectures.{module}"), kind)(**arguments)
    return export_restorer(network, {}, folder / f"{kind}.safetensors")


def tried(row: Row, path: Path) -> None:
    """Fills in a row from a file."""
    foreign = load_foreign(path)
    network = foreign.network
    row.scale = f"x{foreign.scale}"
    row.size = f"{foreign.multiple}" + (f", at least {foreign.minimum}" if foreign.minimum else "")
    row.parameters = f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M"
    side = next_multiple(max(SIDE, foreign.minimum), foreign.multiple)
    idle = parameters_without_gradient(network, 3, side)
    row.idle = tuple(idle)
    step(row, network, side)
    row.trains = "yes"
    remarks(row, network, side)
    _, difference = reopened(network, export_restorer(network, {}, path.with_name("again.safetensors")))
    if difference:
        row.remarks.append(f"opens again, difference {difference:.0e}")


def step(row: Row, network: nn.Module, side: int) -> None:
    """One optimizer step; complains of gradients that are no numbers and of steps that change nothing."""
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    before = [p.detach().clone() for p in network.parameters()]
    network(pictures(2, side)).square().mean().backward()
    bad = [n for n, p in network.named_parameters() if p.grad is not None and not bool(torch.isfinite(p.grad).all())]
    if bad:
        raise RuntimeError(f"gradients of {len(bad)} parameters are no numbers ({bad[0]})")
    optimizer.step()
    if all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True)):
        raise RuntimeError("a step changed nothing")


def remarks(row: Row, network: nn.Module, side: int) -> None:
    """What to know before training it."""
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if norms:
        row.remarks.append(f"{len(norms)} batch norms")
    if network._forward_pre_hooks:
        row.remarks.append("changes its input, so it is given a copy")
    with torch.no_grad():
        training = network.train()(pictures(2, side))
        again = network(pictures(2, side))
        network.eval()
        evaluating = torch.cat([network(picture[None]) for picture in pictures(2, side)])
    if not torch.equal(training, again):
        row.remarks.append("random in training mode")
    gap = float((training - evaluating).abs().max())
    if gap > 1e-4 and torch.equal(training, again):
        row.remarks.append(f"training and evaluation mode differ by {gap:.1g}")
    for mode, count in (("training", 1), ("evaluation", 2)):
        try:
            network.train(mode == "training")(pictures(count, side))
        except (RuntimeError, ValueError) as error:
            row.remarks.append(f"fails on {count} picture{'s' * (count > 1)} at once in {mode}: {short(error)}")


def pictures(count: int, side: int) -> torch.Tensor:
    """Random pictures, the same each time."""
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))


def attempt(name: str, make: Any) -> Row:
    """A row, whatever happens."""
    row = Row(name)
    try:
        tried(row, make())
    except LossAgentError as error:
        row.remarks.append(f"refused: {short(error)}")
    except Exception as error:  # whatever a foreign network raises
        row.remarks.append(f"{type(error).__name__}: {short(error)}")
    return row


def short(error: Exception) -> str:
    """The first sentence of a message, without paths."""
    text = " ".join(str(error).split())
    text = " ".join(word for word in text.split(" ") if "/" not in word)
    sentence = text.split(". ")[0].strip(" .")
    return sentence if len(sentence) <= 200 else f"{sentence[:200]} ..."


def page(rows: list[Row]) -> str:
    """The Markdown page."""
    version = metadata.version("spandrel")
    lines = [
        "# Architectures through spandrel",
        "",
        "`restorer: {network: spandrel, start: FILE}` trains the network in a checkpoint file, whichever of spandrel's",
        "architectures it is. This page says which were tried and how that went. What it says is measured by",
        "`python scripts/try_architectures.py` with random weights, some networks narrower than published: a forward",
        "and a backward pass and one optimizer step in training mode, on two small pictures",
        f"(spandrel {version}, torch {torch.__version__.split('+')[0]}, CPU).",
        "",
        "**Size** is what sides of inputs must be a multiple of. **Without gradient** are parameters that a backward",
        "pass never reaches: training on several processes finds them by itself. *Refused* means that lossagent says",
        "no before anything is trained.",
        "",
        "| architecture | scale | size | parameters | without gradient |",
        "|---|---|---|---|---|",
        *(row.markdown() for row in rows if row.trains == "yes"),
        "",
        "All of these train, and the exported file opens again with equal output unless it is said below. What else",
        "was seen:",
        "",
        *(row.seen() for row in rows if row.trains == "yes" and row.seen()),
        "",
        "Refused:",
        "",
        *(row.seen().replace(": refused: ", ": ", 1) for row in rows if row.trains != "yes"),
        "",
        "Not tried:",
        "",
        *(f"- {name}: {why}." for name, why in LEFT_OUT.items()),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="checkpoint files to try as well")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--only", nargs="*", help="names of spandrel.architectures")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for module, kind, settings in TRIED:
            if arguments.only and module not in arguments.only:
                continue
            title = kind if "in_nc" not in settings else f"{kind}, {settings['in_nc']} channels in"
            rows.append(attempt(title, lambda m=module, k=kind, s=settings: built(m, k, s, folder)))
            print(rows[-1].markdown(), rows[-1].seen(), flush=True)
        for file in arguments.weights:
            copied = folder / file.name
            copied.write_bytes(file.read_bytes())
            rows.append(attempt(f"file `{file.name}`", lambda path=copied: path))
            print(rows[-1].markdown(), rows[-1].seen(), flush=True)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
