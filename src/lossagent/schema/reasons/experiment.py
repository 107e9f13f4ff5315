"""Reasons for the settings of an experiment, its images and its goal."""

from __future__ import annotations

REASONS = {
    "Experiment": {
        "seed": "any number will do; the same one repeats a run. Compare agents over several: effects of one are luck.",
        "scale": "the scale of most published super-resolution; 1 for noise, rain and haze.",
        "metrics": "built-in metrics and pyiqa's need no entry.",
        "reviewers": "scores need none. Goals in words do, with an agent that reads them.",
        "guards": "none are assumed. Name some whenever a single metric is steered by: any one number can be gamed.",
        "chat": "most agents ask nobody; `llm` and `hybrid` need one.",
        "bounds": "a box and a factor of four a stage keep one bad answer from ruining a run.",
        "tolerance": "with 8 or more feedback images the noise is estimated from them. Measure and state it where there"
        " are fewer.",
        "training": "the paper's settings, for GPUs. On a CPU take those of a recipe of scale `small`.",
        "people": "nobody is waited for unless you say so.",
        "pictures": "enough to look at without filling the disk.",
        "fixed_run": "without it the drift of training is not taken off. `lossagent run --beside fixed` trains and"
        " names it.",
    },
    "DataSettings": {
        "selection": "without one the choice is not made on images that the agent saw, and the last state is kept. Give"
        " ten or more.",
        "test": "a run can do without; a claim cannot.",
        "degradation": "classical super-resolution; what published benchmarks are made with.",
        "patch": "the published size of SwinIR and Real-ESRGAN: 256 pixels of ground truth at x4. Smaller ones save"
        " memory; below 8 nothing is left to see.",
        "jitter": "as published trainers cut. Switch it on for networks that leave a pixel grid.",
        "overlap": "scores on images that were trained on say nothing.",
        "allow": "none are known to be harmless until you have looked at them.",
        "cache": "holds some 450 photographs of DIV2K. Lower it where several runs share the memory; below 16 hardly"
        " one would fit.",
        "max_damaged": "one bad file in a hundred should not end a run; more than that is a damaged folder.",
    },
    "ImagesSettings": {
        "images": "every set needs a folder, or `demo`.",
        "low": "inputs that are made on the fly need no disk. Give a folder to train on published pairs.",
        "match": "it looks which way fits, and says so. Name it where several fit.",
        "reference": "most sets have ground truth. Photographs from a camera have none.",
        "count": "all there are; 10 feedback images are the paper's, and scoring time grows with them.",
        "without": "a folder of its own for each set needs no entry.",
        "demo": "your own images are what counts; the shipped photographs serve for a first try.",
        "degradation": "one for all sets, unless parts suffer from different things.",
        "condition": "a set of one condition needs no name.",
        "crop": "whole images. Take 16 to repeat PromptIR's figures.",
        "weight": "parts are drawn equally often, whatever their size. 0 would leave the part out: delete it instead.",
    },
    "RealESRGANSettings": {
        "sharpen": "as published for Real-ESRGAN; it makes results sharper. Off for faithful results.",
        "on_device": "workers do it beside training. Switch it on where a GPU waits for them.",
        "pool": "the published size. A larger one mixes better and takes more memory.",
    },
    "HazeSettings": {"depth": "depth is made up where none is known, and the run says so."},
    "NoiseSettings": {"sigma": "15, 25 and 50 are the published levels; 0 would be no noise, 255 nothing else."},
    "Goal": {
        "targets": "a goal in words alone has none.",
        "constraints": "none are assumed. Add one for what the target must not cost: `psnr_y` against the start.",
        "wish": "targets do without words. Agents that read make use of it, with a reviewer.",
        "proxy": "needed only beside a wish or people, for rollback and the choice of the checkpoint.",
    },
    "Target": {
        "direction": "given, it is checked against the metric's. Say it for scores that are computed elsewhere.",
        "importance": "targets count alike, in units of their own. Raise that of what you would rather have; 0 would be"
        " no target.",
        "unit": "0.1 NIQE and 0.1 dB then count alike. It must be above 0; say it for scores that are computed"
        " elsewhere.",
    },
    "Constraint": {
        "at_least": "give this one or `at_most`.",
        "at_most": "give this one or `at_least`.",
        "relative_to": "plain limits are the easiest to read. `start` suits what must not fall, `fixed` what training"
        " moves by itself.",
        "unit": "misses of different limits are added, so they must be in comparable units; above 0.",
    },
    "RollbackSettings": {
        "tolerance": "what the experiment says, or an estimate from 8 images or more, does for most guards.",
        "drift": "a fall that training makes under any weights is no reason to go back. It needs `fixed_run`.",
        "patience": "a guard that never gives up can hold a run at its start; in simulation 2 gained"
        " where every run fell at first, and cost a little where most moves were bad.",
    },
}
"""Settings -> key -> reason."""
