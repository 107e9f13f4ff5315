"""PromptIR: published names, shapes and size; its equations; narrow networks; refusals."""

from __future__ import annotations

import copy
import hashlib
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossagent.errors import Refused
from lossagent.restorers import PromptIR, build, restore
from lossagent.restorers.promptir import PromptBlock
from lossagent.restorers.restormer_blocks import BiasFreeNorm, ChannelAttention, GatedFeedForward, WithBiasNorm

PUBLISHED = "c94f2b4974d7f959d88615de5326ef9bf0f4ac7af71b87b71dba77993bf14c3d"
"""SHA-256 of the sorted lines "name [shape]" of the published network's state."""

IDLE = {f"{name}{level}.weight" for name in ("chnl_reduce", "reduce_noise_channel_") for level in (1, 2, 3)}


def narrow(**changes: object) -> PromptIR:
    settings: dict[str, object] = {
        "dim": 12,
        "num_blocks": [1, 1, 1, 1],
        "num_refinement_blocks": 1,
        "decoder": True,
        "prompt_sizes": (8, 4, 2),
    }
    return PromptIR(**(settings | changes))


def published_names() -> set[str]:
    """All names of the published network, by pattern."""
    block = [f"norm{i}.body.{part}" for i in (1, 2) for part in ("weight", "bias")]
    block += [f"attn.{part}" for part in ("temperature", "qkv.weight", "qkv_dwconv.weight", "project_out.weight")]
    block += [f"ffn.{part}.weight" for part in ("project_in", "dwconv", "project_out")]
    rows = {f"{side}coder_level{level}": (4, 6, 6)[level - 1] for side in ("en", "de") for level in (1, 2, 3)}
    rows |= {"latent": 8, "refinement": 4}
    names = {f"{row}.{number}.{part}" for row, count in rows.items() for number in range(count) for part in block}
    names |= {f"noise_level{level}.{part}" for level in (1, 2, 3) for part in block}
    prompt = ("prompt_param", "linear_layer.weight", "linear_layer.bias", "conv3x3.weight")
    names |= {f"prompt{level}.{part}" for level in (1, 2, 3) for part in prompt}
    names |= {f"reduce_noise_level{level}.weight" for level in (1, 2, 3)} | IDLE
    names |= {f"reduce_chan_level{level}.weight" for level in (2, 3)}
    names |= {f"{name}.body.0.weight" for name in ("down1_2", "down2_3", "down3_4", "up4_3", "up3_2", "up2_1")}
    return names | {"patch_embed.proj.weight", "output.weight"}


def test_names_shapes_and_size_are_the_published_ones():
    with torch.device("meta"):
        network = PromptIR(decoder=True)
    shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    assert set(shapes) == published_names()
    lines = "\n".join(sorted(f"{name} {shape}" for name, shape in shapes.items()))
    assert hashlib.sha256(lines.encode()).hexdigest() == PUBLISHED
    assert sum(p.numel() for p in network.parameters()) == 35_592_263
    checked = {
        "prompt1.prompt_param": [1, 5, 64, 64, 64],
        "prompt2.prompt_param": [1, 5, 128, 32, 32],
        "prompt3.prompt_param": [1, 5, 320, 16, 16],
        "prompt3.linear_layer.weight": [5, 384],
        "chnl_reduce3.weight": [256, 320, 1, 1],
        "reduce_noise_channel_3.weight": [192, 448, 1, 1],
        "noise_level3.attn.qkv.weight": [2112, 704, 1, 1],
        "noise_level2.ffn.project_in.weight": [1702, 320, 1, 1],
        "reduce_noise_level2.weight": [192, 320, 1, 1],
        "reduce_noise_level1.weight": [96, 160, 1, 1],
        "reduce_chan_level3.weight": [192, 288, 1, 1],
        "latent.7.attn.temperature": [8, 1, 1],
        "output.weight": [3, 96, 3, 3],
    }
    assert checked.items() <= shapes.items()


def test_without_prompts_it_is_restormer():
    with torch.device("meta"):
        network = PromptIR()
    assert sum(p.numel() for p in network.parameters()) == 26_126_644  # as published by Restormer: 26.13 M
    names = {n for n in published_names() if "prompt" not in n and "noise" not in n and "chnl" not in n}
    assert set(network.state_dict()) == names
    assert network.without_gradient == ()
    small = narrow(decoder=False)
    assert small(torch.rand(1, 3, 16, 8)).shape == (1, 3, 16, 8)


@pytest.mark.parametrize("dim", [12, 16, 20, 24])
@pytest.mark.parametrize("decoder", [True, False])
def test_narrow_networks_train_every_weight_but_the_idle_ones(dim, decoder):
    network = narrow(dim=dim, decoder=decoder)
    restored = network(torch.rand(2, 3, 24, 16))
    (restored * torch.randn_like(restored)).sum().backward()
    dead = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert dead == set(network.without_gradient) == (IDLE if decoder else set())
    assert all(p.requires_grad is (n not in dead) for n, p in network.named_parameters())


def test_widths_of_prompts_follow_dim_or_are_given():
    assert narrow(dim=12).prompt1.prompt_param.shape == (1, 5, 16, 8, 8)
    assert narrow(dim=24).prompt3.prompt_param.shape == (1, 5, 160, 2, 2)
    network = narrow(prompt_dims=(4, 8, 12), prompt_len=2)
    assert [p.prompt_param.shape[1:3] for p in (network.prompt1, network.prompt2, network.prompt3)] == [
        (2, 4),
        (2, 8),
        (2, 12),
    ]
    assert network(torch.rand(1, 3, 8, 8)).shape == (1, 3, 8, 8)


def test_attention_is_the_published_equation():
    attention = ChannelAttention(12, 3, bias=True).double()
    nn.init.uniform_(attention.temperature, 0.5, 2.0)
    x = torch.randn(2, 12, 5, 7, dtype=torch.float64)
    q, k, v = (
        part.reshape(2, 3, 4, 35) for part in attention.qkv_dwconv(attention.qkv(x)).chunk(3, dim=1)
    )  # [batch, heads, channels, pixels]
    logits = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * attention.temperature
    expected = attention.project_out((logits.softmax(-1) @ v).reshape(2, 12, 5, 7))
    torch.testing.assert_close(attention(x), expected)


def test_attention_to_nothing_is_finite():
    attention = ChannelAttention(4, 2, bias=False)
    x = torch.zeros(1, 4, 4, 4, requires_grad=True)
    attention(x).sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


def test_half_precision_does_not_overflow():
    attention = ChannelAttention(4, 1, bias=False)
    q = torch.full((1, 4096, 4), 30.0)
    exact = attention._attention(q, q)  # products of 4096 * 900, far beyond 65504
    torch.testing.assert_close(attention._attention(q.half(), q.half()), exact, atol=1e-3, rtol=0)


def test_feed_forward_and_norms_are_the_published_equations():
    x = torch.randn(2, 6, 4, 5)
    network = GatedFeedForward(6, 2.66, bias=False)
    assert network.project_in.weight.shape[0] == 2 * math.floor(6 * 2.66)
    gate, value = network.dwconv(network.project_in(x)).chunk(2, dim=1)
    torch.testing.assert_close(network(x), network.project_out(F.gelu(gate) * value))
    rows = torch.randn(7, 6) + 3
    spread = (rows.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(BiasFreeNorm(6)(rows), rows / spread)
    torch.testing.assert_close(WithBiasNorm(6)(rows), (rows - rows.mean(-1, keepdim=True)) / spread)


def test_a_prompt_is_a_weighted_mean_of_its_components():
    block = PromptBlock(prompt_dim=4, prompt_len=3, prompt_size=6, lin_dim=5)
    x = torch.randn(2, 5, 8, 10)
    shares = F.softmax(block.linear_layer(x.mean((2, 3))), dim=1)
    mixed = (shares[:, :, None, None, None] * block.prompt_param).sum(1)
    resized = F.interpolate(mixed, (8, 10), mode="bilinear")
    torch.testing.assert_close(block(x), block.conv3x3(resized))
    at_home = torch.randn(1, 5, 6, 6)
    shares = F.softmax(block.linear_layer(at_home.mean((2, 3))), dim=1)
    mixed = (shares[:, :, None, None, None] * block.prompt_param).sum(1)
    torch.testing.assert_close(block(at_home), block.conv3x3(mixed))


def test_it_predicts_what_is_added_to_the_input():
    network = narrow()
    nn.init.zeros_(network.output.weight)
    x = torch.rand(1, 3, 8, 16)
    assert torch.equal(network(x), x)


def test_memory_layouts_agree():
    network, x = narrow().eval(), torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        expected = network(x)
        last = copy.deepcopy(network).to(memory_format=torch.channels_last)
        torch.testing.assert_close(last(x.to(memory_format=torch.channels_last)), expected, atol=1e-5, rtol=0)


def test_autocast_trains():
    network, x = narrow(), torch.rand(1, 3, 16, 16)
    expected = network(x)
    with torch.autocast("cpu", torch.bfloat16):
        restored = network(x)
    torch.testing.assert_close(restored.float(), expected, atol=0.05, rtol=0)
    restored.float().square().mean().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)


def test_whole_images_are_padded_by_whoever_applies_it():
    network = build("promptir", {"dim": 8, "heads": [1, 1, 2, 2], "num_blocks": [1] * 4, "decoder": True})
    assert restore(network, torch.rand(1, 3, 13, 21), scale=1, multiple=8).shape == (1, 3, 13, 21)


def test_gray_in_and_colour_out():
    assert narrow(inp_channels=1, out_channels=1)(torch.rand(1, 1, 8, 8)).shape == (1, 1, 8, 8)
    assert narrow(inp_channels=1)(torch.rand(1, 1, 8, 8)).shape == (1, 3, 8, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": 13}, r"dim must be even and at least 2; found 13"),
        ({"heads": [5, 2, 4, 8]}, r"heads must divide the channels they attend to; found 5 heads, 12 channels"),
        ({"num_blocks": [1, 1, 1]}, r"num_blocks and heads must each be 4 numbers"),
        ({"heads": [1, 2, 4, 0]}, r"heads at least 1"),
        ({"num_refinement_blocks": -1}, r"num_refinement_blocks -1"),
        ({"LayerNorm_type": "Batch"}, r"LayerNorm_type must be 'WithBias' or 'BiasFree'; found 'Batch'"),
        ({"prompt_dims": [4, 8]}, r"prompt_dims must be 3 numbers >= 1; found \[4, 8\]"),
        ({"prompt_dims": [5, 8, 12]}, r"must be multiples of heads\[2\], 4; found \[5\]"),
        ({"prompt_sizes": (8, 4)}, r"prompt_sizes must be 3 numbers >= 1"),
        ({"inp_channels": 4}, r"must be equal or one of them be 1"),
    ],
)
def test_refused_arguments(changes, message):
    with pytest.raises(Refused, match=message):
        narrow(**changes)


def test_refused_images():
    with pytest.raises(Refused, match=r"must be multiples of 8; found 12x16"):
        narrow()(torch.rand(1, 3, 12, 16))
    with pytest.raises(Refused, match=r"must have 3 channels \(inp_channels\); found 1"):
        narrow()(torch.rand(1, 1, 8, 8))
