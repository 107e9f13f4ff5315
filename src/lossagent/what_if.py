"""What another weight would do to the gradient, from the recorded evidence alone; nothing is trained.

With unweighted image-side gradients g_m the composite gradient is sum_m w_m g_m, and its squared norm
sum_ij w_i w_j |g_i| |g_j| cos_ij. Norms and cosines are means over the evidence batches, taken apart, so the norm is
exact for one batch and close for several.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lossagent.records import Evidence
from lossagent.weights import Weights

FACTORS = (0.25, 0.5, 2.0, 4.0)


@dataclass(frozen=True)
class WhatIf:
    """One weight changed, the others kept.

    Attributes:
        loss: whose weight.
        factor: what its magnitude is multiplied by, > 0; a loss that was off is on afterwards.
        weights: the weights afterwards.
        shares: gradient share of each loss afterwards, in [0, 1].
        gradient: relative change of the norm of the composite gradient (0.1: a tenth longer); ``None`` where a norm
            or a cosine is missing or not finite, or where there was no gradient.
    """

    loss: str
    factor: float
    weights: Weights
    shares: dict[str, float]
    gradient: float | None


def what_if(evidence: Evidence, weights: Weights, factors: Sequence[float] = FACTORS) -> tuple[WhatIf, ...]:
    """Every loss that evidence has a gradient of, times every factor.

    Args:
        evidence: of one state.
        weights: around which; those that the state was trained under.
        factors: multiples of one weight, each finite and > 0.
    """
    before = composite_norm(evidence, weights)
    rows: list[WhatIf] = []
    for loss in weights.names:
        if loss not in evidence.image_norms:
            continue
        for factor in factors:
            magnitudes = {**weights.magnitudes, loss: weights.magnitudes[loss] * factor}
            changed = Weights(magnitudes=magnitudes, off=weights.off - {loss})
            after = composite_norm(evidence, changed)
            gradient = after / before - 1 if before and after is not None else None
            rows.append(WhatIf(loss, factor, changed, evidence.shares(changed), gradient))
    return tuple(rows)


def composite_norm(evidence: Evidence, weights: Weights) -> float | None:
    """|sum_m w_m g_m|, from unweighted norms and cosines; ``None`` where one that is needed is missing.

    A loss whose gradient is 0 needs no cosine. Means of cosines may leave a sum slightly below 0; it counts as 0.
    """
    parts: dict[str, float] = {}
    for name, weight in weights.values().items():
        if weight == 0:
            continue
        if name not in evidence.image_norms:
            return None
        if evidence.image_norms[name] != 0:
            parts[name] = weight * evidence.image_norms[name]
    names = list(parts)
    square = sum(part * part for part in parts.values())
    for place, a in enumerate(names):
        for b in names[place + 1 :]:
            cosine = evidence.cosines.get(f"{a}|{b}", evidence.cosines.get(f"{b}|{a}"))
            if cosine is None:
                return None
            square += 2 * parts[a] * parts[b] * cosine
    return math.sqrt(max(0.0, square)) if math.isfinite(square) else None
