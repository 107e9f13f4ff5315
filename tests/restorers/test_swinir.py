"""SwinIR: published names and counts, all reconstructions, any size, checkpoints."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lossagent.errors import Refused
from lossagent.restorers import SwinIR, restore
from lossagent.restorers.swin_attention import (
    WindowAttention,
    from_windows,
    into_windows,
    relative_positions,
    shift_mask,
)

MEDIUM = {
    "img_size": 64,
    "embed_dim": 180,
    "depths": [6] * 6,
    "num_heads": [6] * 6,
    "window_size": 8,
    "mlp_ratio": 2.0,
}
LIGHT = MEDIUM | {"embed_dim": 60, "depths": [6] * 4, "num_heads": [6] * 4, "upsampler": "pixelshuffledirect"}
LARGE = MEDIUM | {"embed_dim": 240, "depths": [6] * 9, "num_heads": [8] * 9, "resi_connection": "3conv"}
RECONSTRUCTIONS = [("", 1)] + [
    (u, s) for u in ("pixelshuffle", "pixelshuffledirect", "nearest+conv") for s in (1, 2, 3, 4, 8)
]


def tiny(**changes: object) -> SwinIR:
    settings: dict[str, object] = {
        "img_size": 8,
        "embed_dim": 8,
        "depths": [2],
        "num_heads": [2],
        "window_size": 4,
        "mlp_ratio": 2.0,
        "drop_path_rate": 0.0,
    }
    return SwinIR(**(settings | changes))


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        (MEDIUM | {"upscale": 4, "upsampler": "pixelshuffle"}, 11_900_199),
        (MEDIUM | {"upscale": 4, "upsampler": "nearest+conv"}, 11_715_559),
        (LARGE | {"upscale": 4, "upsampler": "nearest+conv"}, 28_013_059),
        (LIGHT | {"upscale": 2}, 910_152),
        (LIGHT | {"upscale": 3}, 918_267),
        (LIGHT | {"upscale": 4}, 929_628),
    ],
)
def test_published_settings_have_the_published_number_of_parameters(settings, parameters):
    with torch.device("meta"):
        network = SwinIR(**settings)
    assert count(network) == parameters


def test_names_and_shapes_are_those_of_released_checkpoints():
    with torch.device("meta"):
        shapes = {
            n: tuple(t.shape) for n, t in SwinIR(**MEDIUM, upscale=4, upsampler="pixelshuffle").state_dict().items()
        }
    block = "layers.5.residual_group.blocks.1."
    expected = {
        "conv_first.weight": (180, 3, 3, 3),
        "patch_embed.norm.weight": (180,),
        block + "attn_mask": (64, 64, 64),
        block + "norm1.weight": (180,),
        block + "attn.relative_position_bias_table": (225, 6),
        block + "attn.relative_position_index": (64, 64),
        block + "attn.qkv.weight": (540, 180),
        block + "attn.qkv.bias": (540,),
        block + "attn.proj.weight": (180, 180),
        block + "norm2.bias": (180,),
        block + "mlp.fc1.weight": (360, 180),
        block + "mlp.fc2.bias": (180,),
        "layers.0.conv.weight": (180, 180, 3, 3),
        "norm.weight": (180,),
        "conv_after_body.weight": (180, 180, 3, 3),
        "conv_before_upsample.0.weight": (64, 180, 3, 3),
        "upsample.0.weight": (256, 64, 3, 3),
        "upsample.2.weight": (256, 64, 3, 3),
        "conv_last.weight": (3, 64, 3, 3),
    }
    assert expected.items() <= shapes.items()
    assert "layers.0.residual_group.blocks.0.attn_mask" not in shapes
    # 36 blocks of 14 entries, 18 masks, 6 + 1 + 1 convolutions of the body, 2 norms, reconstruction.
    assert len(shapes) == 36 * 14 + 18 + 2 * (1 + 6 + 1 + 2) + 2 * 4


def test_names_of_the_other_reconstructions():
    names = set(tiny(upscale=4, upsampler="nearest+conv", resi_connection="3conv").state_dict())
    wanted = {
        "conv_up1.weight",
        "conv_up2.weight",
        "conv_hr.bias",
        "conv_last.weight",
        "layers.0.conv.4.weight",
    }
    assert wanted | {"layers.0.conv.0.bias", "layers.0.conv.2.bias", "conv_after_body.2.weight"} <= names
    assert "conv_up3.weight" not in names
    direct = set(tiny(upscale=4, upsampler="pixelshuffledirect").state_dict())
    assert "upsample.0.weight" in direct
    assert "conv_last.weight" not in direct
    assert "absolute_pos_embed" in tiny(ape=True).state_dict()


@pytest.mark.parametrize("residual", ["1conv", "3conv"])
@pytest.mark.parametrize(("upsampler", "scale"), RECONSTRUCTIONS)
def test_every_reconstruction_enlarges_and_trains_every_parameter(upsampler, scale, residual):
    network = tiny(upsampler=upsampler, upscale=scale, resi_connection=residual)
    restored = network(torch.rand(2, 3, 9, 6))
    assert restored.shape == (2, 3, 9 * scale, 6 * scale)
    (restored * torch.randn_like(restored)).sum().backward()
    dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # The bias of keys moves all logits of a query alike: its gradient is zero but for rounding.
    assert dead == []


def test_without_upsampler_the_network_predicts_a_residual():
    network = tiny(upsampler=None)
    nn.init.zeros_(network.conv_last.weight)
    nn.init.zeros_(network.conv_last.bias)
    x = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(network(x), x)


@pytest.mark.parametrize("size", [(1, 1), (3, 17), (8, 8), (5, 4)])
def test_any_size_is_restored(size):
    network = tiny(upsampler="pixelshuffle", upscale=2).eval()
    x = torch.rand(1, 3, *size)
    with torch.no_grad():
        restored = network(x)
        padded = torch.zeros(1, 3, -(-size[0] // 4) * 4, -(-size[1] // 4) * 4)
        if min(size) > 3:  # where PyTorch's reflection is defined
            padded = nn.functional.pad(x, (0, padded.shape[3] - size[1], 0, padded.shape[2] - size[0]), "reflect")
            expected = network(padded)[:, :, : size[0] * 2, : size[1] * 2]
            torch.testing.assert_close(restored, expected)
    assert restored.shape == (1, 3, size[0] * 2, size[1] * 2)


def test_image_range_and_gray():
    network = tiny(in_chans=1, img_range=255.0).eval()
    assert network(torch.rand(1, 1, 8, 8)).shape == (1, 1, 8, 8)
    with pytest.raises(Refused, match=r"1 channels \(in_chans\); found 3"):
        network(torch.rand(1, 3, 8, 8))


def test_windows_round_trip():
    x = torch.rand(2, 8, 12, 3)
    windows = into_windows(x, 4)
    assert windows.shape == (2 * 2 * 3, 16, 3)
    assert torch.equal(windows[1], x[0, :4, 4:8].reshape(16, 3))
    assert torch.equal(from_windows(windows, 4, 8, 12), x)


def test_relative_positions_count_offsets():
    index = relative_positions(3)
    for first in range(9):
        for second in range(9):
            down, right = first // 3 - second // 3, first % 3 - second % 3
            assert index[first, second] == (down + 2) * 5 + right + 2


def test_the_mask_hides_exactly_the_tokens_that_a_shift_brought_together():
    side, shift, height, width = 4, 2, 8, 12
    place = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1).float()
    rolled = torch.roll(place, (-shift, -shift), (0, 1))
    before = into_windows(rolled[None], side)
    after = into_windows(place[None], side)
    mask = shift_mask(height, width, side, shift)
    for window in range(before.shape[0]):
        moved = before[window] - after[window]  # equal for tokens that moved together
        together = (moved[:, None] == moved[None]).all(-1)
        assert torch.equal(mask[window] == 0, together)
    assert set(mask.unique().tolist()) == {0.0, -100.0}


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_fused_and_explicit_attention_agree(images, masked):
    attention = WindowAttention(12, 4, 3).eval()
    nn.init.normal_(attention.relative_position_bias_table)
    mask = shift_mask(8, 8, 4, 2) if masked else None
    x = torch.randn(images * 4, 16, 12)
    explicit = attention(x, mask)
    with torch.no_grad():
        torch.testing.assert_close(attention(x, mask), explicit.detach(), atol=1e-5, rtol=0)


def test_a_checkpoint_of_another_img_size_or_without_constants_loads_strictly():
    small, large = tiny(img_size=8).eval(), tiny(img_size=16).eval()
    state = small.state_dict()
    large.load_state_dict(state, strict=True)
    x = torch.rand(1, 3, 11, 5)
    torch.testing.assert_close(large(x), small(x))
    mask = large.get_buffer("layers.0.residual_group.blocks.1.attn_mask")
    assert torch.equal(mask, shift_mask(16, 16, 4, 2))
    bare = {n: t for n, t in state.items() if "attn_mask" not in n and "relative_position_index" not in n}
    tiny(img_size=16).load_state_dict(bare, strict=True)
    with pytest.raises(RuntimeError, match="attn_mask"):
        tiny(img_size=16, window_size=8).load_state_dict(state)


def test_load_hooks_survive_copying():
    copied, small = copy.deepcopy(tiny(img_size=16)), tiny(img_size=8)
    copied.load_state_dict(small.state_dict(), strict=True)
    x = torch.rand(1, 3, 11, 5)
    torch.testing.assert_close(copied(x), small(x))


def test_stochastic_depth_and_dropout_follow_torch_s_generator():
    network = tiny(depths=[2, 2], num_heads=[2, 2], drop_path_rate=0.5, drop_rate=0.1, attn_drop_rate=0.1)
    x = torch.rand(2, 3, 8, 8)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = network(x)
        second = network(x)
        torch.manual_seed(1)
        assert torch.equal(network(x), first)
        assert not torch.equal(first, second)
    network.eval()
    assert torch.equal(network(x), network(x))


def test_checkpointing_gives_the_same_gradients():
    plain, saving = tiny(), tiny(use_checkpoint=True)
    saving.load_state_dict(plain.state_dict())
    x = torch.rand(1, 3, 8, 8)
    for network in (plain, saving):
        network(x).square().sum().backward()
    for (name, ours), theirs in zip(plain.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, msg=name)


def test_training_after_restoring_the_same_size():
    network = tiny()
    restored = restore(network, torch.rand(1, 3, 12, 12), scale=1)
    (network(restored) ** 2).sum().backward()
    assert network.conv_first.weight.grad is not None


def test_channels_last_and_autocast():
    network = tiny().to(memory_format=torch.channels_last)
    x = torch.rand(1, 3, 8, 8)
    expected = network(x)
    torch.testing.assert_close(network(x.to(memory_format=torch.channels_last)), expected, atol=1e-5, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        restored = network(x)
        with torch.no_grad():
            fused = network(x)
    torch.testing.assert_close(restored.float(), expected, atol=0.05, rtol=0)
    torch.testing.assert_close(fused.float(), expected, atol=0.05, rtol=0)


def test_absolute_positions_need_the_training_size():
    network = tiny(ape=True)
    assert network(torch.rand(1, 3, 7, 8)).shape == (1, 3, 7, 8)
    with pytest.raises(Refused, match=r"must have the size \(8, 8\) \(img_size\); found \(12, 8\)"):
        network(torch.rand(1, 3, 9, 8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"img_size": 4}, r"larger than window_size and a multiple of it; found 4x4 for a window of 4"),
        ({"img_size": 10}, r"found 10x10 for a window of 4"),
        ({"upscale": 5, "upsampler": "pixelshuffle"}, r"upscale must be one of \[1, 2, 3, 4, 8\]; found 5"),
        ({"upscale": 2}, r"upscale 2 needs an upsampler"),
        ({"upsampler": "nearest"}, r"upsampler must be one of .*found 'nearest'"),
        ({"resi_connection": "2conv"}, r"resi_connection must be '1conv' or '3conv'; found '2conv'"),
        ({"num_heads": [3]}, r"num_heads must divide the channels 8 \(embed_dim\); found 3"),
        ({"depths": [2, 2]}, r"one number >= 1 for each group; found \[2, 2\] and \[2\]"),
        ({"window_size": 0}, r"window_size and patch_size must be at least 1"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(Refused, match=message):
        tiny(**changes)


def test_img_size_may_be_a_pair():
    network = tiny(img_size=[8, 12])
    assert network.get_buffer("layers.0.residual_group.blocks.1.attn_mask").shape == (6, 16, 16)
