"""SwinIR and PromptIR, forward and backward: ours against reference implementations of the same shape.

    python benchmarks/network_speed.py [--threads 1] [--repeats 3] [--no-compile]

SwinIR is compared with spandrel's (extra ``archs``), which is the published code. No package at hand holds PromptIR or
Restormer, so PromptIR is compared with the same network whose blocks do their sums in the published order: channels in
front, q and k divided by their lengths first, attention applied to v and the result projected. The reference gets the
same weights and pictures; outputs and gradients must agree within 1e-4 of their largest value, else the exit status
is 1.

Each network is timed as it comes and channels-last; ours also through ``torch.compile`` where this machine has a C++
compiler.
Rounds go through all variants in turn and the median over rounds is taken. On one thread the time is that of the CPU,
which other work on the machine disturbs little; on more it is that of the clock. Ratios are of one run. Narrow networks
and small batches: a minute, and some more for compiling unless ``--no-compile``. Timings of GPUs are another story.
"""

from __future__ import annotations

import argparse
import copy
import shutil
import statistics
import sys
import time
import types
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossagent.restorers import PromptIR, SwinIR
from lossagent.restorers.restormer_blocks import ChannelAttention, ChannelNorm

TOLERANCE = 1e-4
SWINIR = {
    "img_size": 32,
    "embed_dim": 60,
    "depths": [2, 2],
    "num_heads": [6, 6],
    "window_size": 8,
    "mlp_ratio": 2.0,
    "upscale": 4,
    "upsampler": "pixelshuffle",
    "drop_path_rate": 0.0,
}
PROMPTIR = {"dim": 24, "num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 0, "decoder": True}
Variant = tuple[str, nn.Module, Tensor]


def plain_attention(self: ChannelAttention, x: Tensor) -> Tensor:
    """Channel attention in the published order."""
    batch, channels, height, width = x.shape
    shape = (batch, self.num_heads, channels // self.num_heads, height * width)
    q, k, v = (part.reshape(shape) for part in self.qkv_dwconv(self.qkv(x)).chunk(3, dim=1))
    q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
    attention = (q @ k.transpose(-2, -1) * self.temperature).softmax(dim=-1)
    return self.project_out((attention @ v).reshape(batch, channels, height, width))


def plain_norm(self: ChannelNorm, x: Tensor) -> Tensor:
    """Layer normalisation in the published order: pixels in a row, its sums one after another, and back."""
    rows = x.flatten(2).transpose(1, 2)
    centred = rows - rows.mean(-1, keepdim=True)
    spread = torch.sqrt(rows.var(-1, keepdim=True, correction=0) + 1e-5)
    weight, bias = self.body.get_parameter("weight"), self.body.get_parameter("bias")
    return (centred / spread * weight + bias).transpose(1, 2).reshape(x.shape)


def plain_promptir(network: PromptIR) -> nn.Module:
    """The same network with plain blocks."""
    plain = copy.deepcopy(network)
    for module in plain.modules():
        if isinstance(module, ChannelAttention):
            module.forward = types.MethodType(plain_attention, module)
        elif isinstance(module, ChannelNorm):
            module.forward = types.MethodType(plain_norm, module)
    return plain


def published_swinir(network: SwinIR) -> nn.Module | None:
    """spandrel's SwinIR with the same weights, ``None`` where it is not installed."""
    try:
        from spandrel.architectures.SwinIR import SwinIR as Published
    except ImportError:
        return None
    published = Published(**SWINIR)
    published.load_state_dict(network.state_dict())
    return published


def gradients(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Output, and all gradients in a row."""
    network.zero_grad(set_to_none=True)
    restored = network(x)
    restored.square().mean().backward()
    named = sorted((n, p.grad) for n, p in network.named_parameters() if p.grad is not None)
    return restored.detach(), torch.cat([g.flatten() for _, g in named])


def step(network: nn.Module, x: Tensor) -> None:
    """Forward and backward."""
    network.zero_grad(set_to_none=True)
    network(x).square().mean().backward()


def forward(network: nn.Module, x: Tensor) -> None:
    """Forward without gradients."""
    with torch.no_grad():
        network(x)


def timed(work: Callable[[nn.Module, Tensor], None], variants: list[Variant], repeats: int) -> list[float]:
    """Median seconds of each variant, over rounds through all of them."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times: list[list[float]] = [[] for _ in variants]
    for round_ in range(repeats + 1):
        for place, (_, network, x) in enumerate(variants):
            start = clock()
            work(network, x)
            if round_:  # the first warms up
                times[place].append(clock() - start)
    return [statistics.median(values) for values in times]


def variants_of(ours: nn.Module, reference: nn.Module | None, x: Tensor) -> list[Variant]:
    """Reference first, where there is one."""
    found: list[Variant] = []
    last = x.to(memory_format=torch.channels_last)
    for name, network in (("reference", reference), ("lossagent", ours)):
        if network is not None:
            found.append((name, network, x))
            found.append((f"{name}, channels-last", channels_last(network), last))
    return found


def channels_last(network: nn.Module) -> nn.Module:
    """A channels-last copy. Parameters of other than four axes stay as they are."""
    network = copied(network)
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)
    return network


def copied(network: nn.Module) -> nn.Module:
    """A copy, plain blocks and all."""
    if any(isinstance(m, ChannelAttention) and "forward" in vars(m) for m in network.modules()):
        fresh = PromptIR(**PROMPTIR)
        fresh.load_state_dict(network.state_dict())
        return plain_promptir(fresh)
    return copy.deepcopy(network)


def compared(title: str, ours: nn.Module, reference: nn.Module | None, x: Tensor, repeats: int, compiled: bool) -> bool:
    """Prints one table; whether outputs and gradients agree."""
    print(f"\n{title}, {sum(p.numel() for p in ours.parameters()):,} parameters, input {list(x.shape)}")
    agree = True
    if reference is None:
        print("no reference: spandrel is not installed (pip install 'lossagent[archs]')")
    else:
        gaps = [
            float((a - b).abs().max() / b.abs().max())
            for a, b in zip(gradients(ours, x), gradients(reference, x), strict=True)
        ]
        agree = max(gaps) <= TOLERANCE
        print(f"largest differences, relative: output {gaps[0]:.1e}, gradients {gaps[1]:.1e} (wanted: {TOLERANCE:g})")
    variants = variants_of(ours, reference, x)
    applied = timed(forward, variants, repeats)
    if compiled:
        # One variant, and its training step alone: a graph takes the compiler a minute or two.
        variants.append(("lossagent, channels-last, compiled", torch.compile(variants[-1][1]), variants[-1][2]))
    trained = timed(step, variants, repeats)
    print(f"{'':36s}{'forward+backward':>18s}{'ratio':>8s}{'forward':>12s}{'ratio':>8s}")
    for place, (name, _, _) in enumerate(variants):
        line = f"{name:36s}{trained[place] * 1e3:15.1f} ms{trained[0] / trained[place]:8.2f}"
        if place < len(applied):
            line += f"{applied[place] * 1e3:9.1f} ms{applied[0] / applied[place]:8.2f}"
        print(line, flush=True)
    return agree


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    compiled = not arguments.no_compile
    if compiled and not any(shutil.which(name) for name in ("c++", "g++", "clang++", "gcc")):
        compiled = False
        print("torch.compile is left out: this machine has no C++ compiler")
    print(f"torch {torch.__version__}, {arguments.threads} thread(s); ratios: how often as fast as the first row")
    swinir, promptir = SwinIR(**SWINIR), PromptIR(**PROMPTIR)
    same = compared(
        "SwinIR, reference spandrel's",
        swinir,
        published_swinir(swinir),
        torch.rand(2, 3, 32, 32),
        arguments.repeats,
        compiled,
    )
    same &= compared(
        "PromptIR, reference its blocks in the published order",
        promptir,
        plain_promptir(promptir),
        torch.rand(2, 3, 64, 64),
        arguments.repeats,
        compiled,
    )
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
