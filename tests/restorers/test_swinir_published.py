"""SwinIR in every published configuration: names, shapes, parameters; the same images as spandrel's SwinIR."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lossagent.restorers import SwinIR

MEDIUM = {"embed_dim": 180, "depths": [6] * 6, "num_heads": [6] * 6, "window_size": 8, "mlp_ratio": 2.0}
LIGHT = MEDIUM | {"embed_dim": 60, "depths": [6] * 4, "num_heads": [6] * 4, "upsampler": "pixelshuffledirect"}
LARGE = MEDIUM | {"embed_dim": 240, "depths": [6] * 9, "num_heads": [8] * 9, "resi_connection": "3conv"}
CLASSICAL = MEDIUM | {"upsampler": "pixelshuffle"}
REAL = {"upsampler": "nearest+conv"}
NOISE = MEDIUM | {"img_size": 128, "upsampler": ""}
JPEG = MEDIUM | {"img_size": 126, "window_size": 7, "img_range": 255.0, "upsampler": ""}

CONFIGURATIONS = {
    "classical x2": CLASSICAL | {"upscale": 2, "img_size": 64},
    "classical x3": CLASSICAL | {"upscale": 3, "img_size": 64},
    "classical x4": CLASSICAL | {"upscale": 4, "img_size": 64},
    "classical x8": CLASSICAL | {"upscale": 8, "img_size": 64},
    "classical x4, DIV2K": CLASSICAL | {"upscale": 4, "img_size": 48},
    "lightweight x2": LIGHT | {"upscale": 2, "img_size": 64},
    "lightweight x3": LIGHT | {"upscale": 3, "img_size": 64},
    "lightweight x4": LIGHT | {"upscale": 4, "img_size": 64},
    "real-world M x4": MEDIUM | REAL | {"upscale": 4, "img_size": 64},
    "real-world M x2": MEDIUM | REAL | {"upscale": 2, "img_size": 64},
    "real-world L x4": LARGE | REAL | {"upscale": 4, "img_size": 64},
    "gray denoising": NOISE | {"in_chans": 1},
    "colour denoising": NOISE | {"in_chans": 3},
    "gray JPEG": JPEG | {"in_chans": 1},
    "colour JPEG": JPEG | {"in_chans": 3},
}

PARAMETERS = {
    "classical x2": 11_752_487,
    "classical x3": 11_937_127,
    "classical x4": 11_900_199,
    "classical x8": 12_047_911,
    "classical x4, DIV2K": 11_900_199,
    "lightweight x2": 910_152,
    "lightweight x3": 918_267,
    "lightweight x4": 929_628,
    "real-world M x4": 11_715_559,
    "real-world M x2": 11_678_631,
    "real-world L x4": 28_013_059,
    "gray denoising": 11_497_681,
    "colour denoising": 11_504_163,
    "gray JPEG": 11_485_585,
    "colour JPEG": 11_492_067,
}


def narrow(settings: dict[str, object]) -> dict[str, object]:
    """The same configuration with two short groups of few channels."""
    window = settings["window_size"]
    assert isinstance(window, int)
    return settings | {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 2], "img_size": 2 * window}


def body_names(settings: dict[str, object]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of everything before the reconstruction, by the published pattern."""
    dim, window, size = settings["embed_dim"], settings["window_size"], settings["img_size"]
    depths, heads, channels = settings["depths"], settings["num_heads"], settings.get("in_chans", 3)
    tokens, windows, hidden = window**2, (size // window) ** 2, dim * 2
    shapes = {"conv_first.weight": (dim, channels, 3, 3), "conv_first.bias": (dim,)}
    for name in ("patch_embed.norm", "norm"):
        shapes |= {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}
    for group, depth in enumerate(depths):
        for block in range(depth):
            at = f"layers.{group}.residual_group.blocks.{block}"
            shapes |= {f"{at}.norm{i}.{part}": (dim,) for i in (1, 2) for part in ("weight", "bias")}
            shapes[f"{at}.attn.relative_position_bias_table"] = ((2 * window - 1) ** 2, heads[group])
            shapes[f"{at}.attn.relative_position_index"] = (tokens, tokens)
            linear = {"attn.qkv": (3 * dim, dim), "attn.proj": (dim, dim)}
            linear |= {"mlp.fc1": (hidden, dim), "mlp.fc2": (dim, hidden)}
            for name, shape in linear.items():
                shapes |= {f"{at}.{name}.weight": shape, f"{at}.{name}.bias": shape[:1]}
            if block % 2:
                shapes[f"{at}.attn_mask"] = (windows, tokens, tokens)
        shapes |= residual(f"layers.{group}.conv", dim, settings)
    return shapes | residual("conv_after_body", dim, settings)


def residual(name: str, dim: int, settings: dict[str, object]) -> dict[str, tuple[int, ...]]:
    if settings.get("resi_connection", "1conv") == "1conv":
        return convolution(name, dim, dim)
    quarter = dim // 4
    narrow = convolution(f"{name}.0", dim, quarter) | convolution(f"{name}.2", quarter, quarter, 1)
    return narrow | convolution(f"{name}.4", quarter, dim)


def convolution(name: str, inputs: int, outputs: int, side: int = 3) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs, side, side), f"{name}.bias": (outputs,)}


def reconstruction_names(settings: dict[str, object]) -> dict[str, tuple[int, ...]]:
    dim, channels, scale = settings["embed_dim"], settings.get("in_chans", 3), settings.get("upscale", 1)
    upsampler = settings["upsampler"]
    if upsampler == "pixelshuffledirect":
        return convolution("upsample.0", dim, channels * scale**2)
    if upsampler == "":
        return convolution("conv_last", dim, channels)
    shapes = convolution("conv_before_upsample.0", dim, 64) | convolution("conv_last", 64, channels)
    steps = {2: [2], 3: [3], 4: [2, 2], 8: [2, 2, 2]}[scale]
    if upsampler == "pixelshuffle":
        for number, step in enumerate(steps):
            shapes |= convolution(f"upsample.{2 * number}", 64, 64 * step**2)
        return shapes
    for number in range(len(steps)):
        shapes |= convolution(f"conv_up{number + 1}", 64, 64)
    return shapes | convolution("conv_hr", 64, 64)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_names_shapes_and_parameters_are_the_published_ones(name):
    settings = CONFIGURATIONS[name]
    with torch.device("meta"):
        network = SwinIR(**settings)
    shapes = {n: tuple(t.shape) for n, t in network.state_dict().items()}
    assert shapes == body_names(settings) | reconstruction_names(settings)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_images_are_those_of_spandrel_s_swinir(name):
    spandrel = pytest.importorskip("spandrel", reason="extra archs is not installed")
    settings = narrow(CONFIGURATIONS[name])
    ours = SwinIR(**settings).eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, 0.0 if parameter.ndim > 1 else 0.5, 0.1)
    opened = spandrel.ModelLoader().load_from_state_dict(dict(ours.state_dict()))
    assert opened.architecture.id == "SwinIR"
    assert opened.scale == settings.get("upscale", 1)
    theirs = opened.model.eval()
    assert {n: t.shape for n, t in theirs.state_dict().items()} == {n: t.shape for n, t in ours.state_dict().items()}
    for rows, columns in ((24, 40), (21, 30)):
        x = torch.rand(1, settings.get("in_chans", 3), rows, columns)
        with torch.no_grad():
            expected = theirs(x)
            spread = float(expected.std())
            torch.testing.assert_close(ours(x), expected, atol=1e-5 * max(spread, 1.0), rtol=1e-5)
