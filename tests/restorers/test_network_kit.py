"""Every restorer against the kit."""

from __future__ import annotations

import pytest

from lossagent.restorers import RESTORERS, CompactSR, PromptIR, SwinIR
from restorers.kit import CHECKS, Case


def swinir(upsampler: str, scale: int) -> SwinIR:
    return SwinIR(img_size=8, embed_dim=8, depths=[2], num_heads=[2], window_size=4, upsampler=upsampler, upscale=scale)


def promptir() -> PromptIR:
    return PromptIR(dim=12, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1, decoder=True, prompt_sizes=(8, 4, 2))


CASES = {
    "compact": Case(lambda: CompactSR(4, 8, 1), scale=4),
    "compact-x1": Case(lambda: CompactSR(1, 8, 1), scale=1),
    "swinir": Case(lambda: swinir("nearest+conv", 4), scale=4, multiple=4),
    "swinir-pixelshuffle": Case(lambda: swinir("pixelshuffle", 2), scale=2, multiple=4),
    "promptir": Case(promptir, scale=1, side=16, multiple=8, unreached=6),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_network_kit(case, check, tmp_path):
    check(case, tmp_path)


def test_every_restorer_of_the_table_is_tried():
    assert {name.split("-")[0] for name in CASES} == set(RESTORERS)
