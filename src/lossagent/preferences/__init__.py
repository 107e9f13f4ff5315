"""From blind comparisons to numbers: strengths with intervals, and how far the answers can be trusted."""

from lossagent.preferences.answers import (
    Agreement,
    Consistency,
    SideBias,
    agreement,
    answers_by_rater,
    comparisons_of,
    consistency,
    side_bias,
)
from lossagent.preferences.bradley_terry import Comparison, Strength, strengths, values
from lossagent.preferences.final import FinalResult, final_result
from lossagent.preferences.planning import chosen_images, final_pairs, repeated, shuffled_pairs
from lossagent.preferences.wording import wording

__all__ = [
    "Agreement",
    "Comparison",
    "Consistency",
    "FinalResult",
    "SideBias",
    "Strength",
    "agreement",
    "answers_by_rater",
    "chosen_images",
    "comparisons_of",
    "consistency",
    "final_pairs",
    "final_result",
    "repeated",
    "shuffled_pairs",
    "side_bias",
    "strengths",
    "values",
    "wording",
]
