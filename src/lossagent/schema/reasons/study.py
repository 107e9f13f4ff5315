"""Reasons for the settings of studies and of loops of one's own."""

from __future__ import annotations

_ONE_BASE = "give one of `experiment`, `recipe` and `base`."

REASONS = {
    "Study": {
        "experiment": _ONE_BASE,
        "recipe": _ONE_BASE,
        "base": "written by `lossagent compare`, so that the study folder holds everything.",
        "changes": "the experiment as it is.",
        "seeds": "five give an interval. A permutation test needs six to reach p < 0.05, and more with several arms.",
        "objectives": "the experiment's own goal. Name several to ask the same question of each.",
        "tuned": "what a careful person would do by hand, at several times the cost. Worth it before a claim.",
        "primary": "without one the page makes no verdict. Name it before the first run.",
        "know_fixed": "arms are then alone, as in the paper. With it agents tell drift from effect, at the cost of one"
        " more run.",
    },
    "Arm": {
        "changes": "an arm that changes nothing is the experiment itself.",
        "seeds": "the study's, so that differences are paired.",
    },
    "SeedRange": {
        "first": "counting begins anywhere. Take another start for seeds that nobody has looked at.",
        "count": "at least one; six and more for a test.",
    },
    "Tuned": {
        "full": "a weight of 0 is off, below 0 no loss. Take those that you would try by hand.",
        "seeds": "the same as the arms, so that differences are paired.",
    },
    "Limit": {
        "at_least": "give this one or `at_most`.",
        "at_most": "give this one or `at_least`.",
        "relative_to": "plain limits are the easiest to read. `start` suits what must not fall.",
        "times": "offsets suit decibels. Factors suit metrics whose size differs between images.",
    },
    "Primary": {
        "objective": "one objective needs no name.",
        "test": "it assumes nothing of how differences are distributed. `t` gives intervals with fewer than six seeds.",
        "guards": "none are assumed. Add what would make a better score worthless.",
    },
    "LoopSettings": {
        "name": "a folder holds one run, so any name will do.",
        "seed": "any number; the same one repeats the draws.",
        "scale": "most loops that denoise or deblur keep the size. Say it for super-resolution: metrics leave out a"
        " border of that width, and pages enlarge inputs by it.",
        "stages": "enough for an agent to learn from, few enough for a first try.",
        "iterations": "it changes no training; agents in words are told how long a stage is.",
        "score": "the same metric code for every run. `elsewhere` where another program scores.",
        "metrics": "built-in metrics and pyiqa's need no entry.",
        "guards": "none are assumed. Name some whenever a single metric is steered by: any one number can be gamed.",
        "references": "metrics without references need none.",
        "inputs": "reviewers see restored images alone unless there are inputs to compare with.",
        "reviewers": "scores need none. Goals in words do, with an agent that reads them.",
        "people": "nobody is waited for unless you say so.",
        "agent": "it needs no language model and no tuning. Without restarts it may go on from the last state alone.",
        "chat": "most agents ask nobody; `llm` and `hybrid` need one.",
        "bounds": "a box and a factor of four a stage keep one bad answer from ruining a run.",
        "tolerance": "with 8 or more images the noise is estimated from them. State it where one number is told.",
        "can_restart": "nobody else's loop is taken to keep checkpoints. `true` lets agents go back.",
        "by_calls": "a loop in Python holds its run. The command `lossagent steer` sets it.",
    },
    "LoopLoss": {
        "weight": "0 is off; a loss below 0 would be maximised.",
        "facts": "of a loss of yours nothing but the name is known. Say it where an agent in words reads.",
    },
}
"""Settings -> key -> reason."""
