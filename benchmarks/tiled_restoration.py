"""Tiles against whole images: how far apart the results are, and what they cost in time and memory.

    python benchmarks/tiled_restoration.py [--side 256] [--tile 64] [--rounds 3] [--image FILE] [--weights FILE]

Networks: the compact one with its trained weights, whose tiles agree with the whole image to float rounding once the
overlap covers the receptive field; and a SwinIR, whose attention windows see further with every layer: that of
--weights, else the published lightweight size with random weights. Peak memory is how much a fresh process grows while
it restores (Linux only).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from lossagent.checkpoints_data import path
from lossagent.data import read
from lossagent.data.degradations import bicubic
from lossagent.metrics import psnr
from lossagent.restorers import CompactSR, SwinIR, build, from_uint8, load_into, restore

OVERLAPS = (0, 8, 16, 32, 48)


def network_of(name: str, weights: Path | None) -> tuple[torch.nn.Module, int]:
    """(network, multiple of its inputs)."""
    torch.manual_seed(0)
    if name == "compact":
        network: torch.nn.Module = CompactSR(4)
        load_into(network, path("compact_x4"))
        return network.eval(), 1
    if weights is not None:  # a file of ours says what it was made with
        with safe_open(weights, framework="pt") as opened:
            network = build("swinir", json.loads(opened.metadata()["arguments"]))
        load_into(network, weights)
        return network.eval(), 8
    network = SwinIR(
        upscale=4, img_size=64, window_size=8, depths=[6, 6, 6, 6], embed_dim=60, num_heads=[6, 6, 6, 6], mlp_ratio=2,
        upsampler="pixelshuffledirect",
    )  # fmt: skip
    return network.eval(), 8


def picture(side: int, file: Path | None) -> torch.Tensor:
    """A low-quality image of a side: cut from the middle of a reduced photograph, else smooth noise."""
    if file is None:
        coarse = torch.rand(1, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
        return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)
    low = bicubic(read(file), 4)
    top, left = ((size - side) // 2 for size in low.shape[:2])
    if min(top, left) < 0:
        raise SystemExit(f"{file} is too small: {low.shape[:2]} at a quarter of its size, wanted {side}")
    return from_uint8(np.ascontiguousarray(low[top : top + side, left : left + side]))


def once(args: argparse.Namespace) -> None:
    """One restoration in this process; prints seconds and mebibytes of growth."""
    network, multiple = network_of(args.network, args.weights)
    image = picture(args.side, args.image)
    restore(network, image[..., :32, :32], scale=4, multiple=multiple)  # what is set up once is not counted
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = status("VmRSS")
    begun = time.perf_counter()
    restore(network, image, scale=4, multiple=multiple, tile=args.tile if args.tiled else None, overlap=args.overlap)
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "growth": status("VmHWM") - before}))


def status(field: str) -> float:
    """A field of this process's memory, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def measured(args: argparse.Namespace, name: str, overlap: int | None) -> tuple[float, float]:
    """(median seconds, median MiB) of a whole image (``None``) or of tiles, each in a process of its own."""
    found: list[dict[str, float]] = []
    for _ in range(args.rounds):
        command = [sys.executable, __file__, "--once", "--network", name, "--side", str(args.side)]
        command += ["--tile", str(args.tile), *(["--image", str(args.image)] if args.image else [])]
        command += ["--weights", str(args.weights)] if args.weights else []
        command += ["--tiled", "--overlap", str(overlap)] if overlap is not None else []
        found.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return statistics.median(f["seconds"] for f in found), statistics.median(f["growth"] for f in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--side", type=int, default=256, help="side of the input")
    parser.add_argument("--tile", type=int, default=64, help="side of a tile")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--image", type=Path, help="a photograph; it is reduced four times")
    parser.add_argument("--weights", type=Path, help="a SwinIR of ours as safetensors, trained")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--network", default="compact", help=argparse.SUPPRESS)
    parser.add_argument("--tiled", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--overlap", type=int, default=32, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.once:
        once(args)
        return
    image = picture(args.side, args.image)
    for name in ("compact", "swinir"):
        network, multiple = network_of(name, args.weights if name != "compact" else None)
        whole = restore(network, image, scale=4, multiple=multiple)
        seconds, growth = measured(args, name, None)
        print(f"{name}: input {args.side}x{args.side}, whole image {seconds:.2f} s, {growth:.0f} MiB")
        for overlap in (o for o in OVERLAPS if o <= args.tile - 8):
            tiled = restore(network, image, scale=4, multiple=multiple, tile=args.tile, overlap=overlap)
            gap = (tiled - whole).abs()
            s, g = measured(args, name, overlap)
            print(
                f"  tile {args.tile}, overlap {overlap:2d}: max {float(gap.max()):.2e}, mean {float(gap.mean()):.2e}, "
                f"PSNR between them {float(psnr(tiled, whole)):.1f} dB, time x{s / seconds:.2f}, "
                f"memory x{g / max(growth, 1):.2f}"
            )


if __name__ == "__main__":
    main()
