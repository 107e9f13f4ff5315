"""Reasons for the settings of training, networks and losses."""

from __future__ import annotations

REASONS = {
    "TrainingSettings": {
        "stages": "with 5,000 iterations each these are the paper's 100,000 of classical SR. An agent learns from"
        " stages: with fewer than ten most of them try, and few are left to gain.",
        "iterations": "the paper's, which found 5,000 a little better than 2,500 and 10,000 (its Table 10). Shorter"
        " stages are decided by noise: at small scale about 100 steps showed differences, 40 did not.",
        "batch": "the paper's. Lower it where memory is short, or raise `accumulate` instead.",
        "accumulate": "one piece is the fastest where it fits. Raise it when the memory of the device runs out.",
        "optimizer": "the paper's. Take `adamw` for networks that were published with it, such as PromptIR.",
        "weight_decay": "Adam as the paper has it decays nothing; `adamw` must be given a value.",
        "learning_rate": "the paper's, and that of published GAN fine-tuning. Small networks bear more.",
        "schedule": "the paper keeps its rate, so that a stage's effect is of its weights and not of a falling rate.",
        "discriminator_learning_rate": "as high as the restorer's, as in published GAN training. Raise it where the"
        " discriminator falls behind.",
        "discriminator_schedule": "as the restorer's: neither side of a GAN should slow down alone.",
        "betas": "those of Real-ESRGAN and BasicSR; the paper states none. KAIR has 0.9, 0.999.",
        "ema": "the published value of Real-ESRGAN and SwinIR: it averages over about 1,000 iterations. Lower it for"
        " short stages, or a score partly reflects earlier stages; a warning says when.",
        "score": "averaged weights vary less from step to step, so scores are less noisy. `raw` where `ema` is null.",
        "precision": "results that can be compared with published ones. `bf16` saves time and memory on GPUs that have"
        " it.",
        "clip": "the paper states none. Set one where losses blow up.",
        "warmup": "most restorers need none. A new discriminator knows nothing, and its first gradients spoil scores:"
        " give it some hundred steps.",
        "idle_discriminator": "a discriminator that goes on training is ready when its loss comes back; `warmup` saves"
        " its cost where the loss is off for many stages.",
        "channels_last": "convolutions are usually faster in it; results change by rounding only.",
        "max_skipped": "single bad steps are passed over, a run that has broken ends soon. A restart from an earlier"
        " state or a lower rate helps more than a higher number.",
        "deterministic": "deterministic kernels are slower. Switch it on where a resumed run must equal an unbroken one"
        " bit for bit.",
        "threads": "torch's own choice suits a run that is alone. Set it where several share a machine, and to repeat"
        " a run exactly.",
        "workers": "decoding must not take cores from training on a CPU, nor keep a GPU waiting. Raise it where the GPU"
        " waits.",
        "evidence_batches": "two cost a few backward passes a stage, and one batch alone is a matter of luck. `balance`"
        " and the gradient terms of `respond` need at least one; 0 saves memory.",
        "log_every": "curves stay smooth and the file small. Lower it for short stages.",
        "partial_every": "what a crash can cost, in iterations. Lower it where steps are slow, raise it where writing"
        " is.",
        "keep": "every state can be gone back to. Set a number where the disk is short; agents then go back to fewer.",
    },
    "Schedule": {
        "kind": "the paper's. A falling rate makes later stages move less, whatever their weights.",
        "warmup_iterations": "a checkpoint that was trained before needs none; a network from scratch may.",
        "iterations": "the cosine then ends with the run. Set it where the run is the first part of a longer one.",
        "minimum": "the usual end of a cosine. Above 0 the last stages still learn.",
        "milestones": "only `steps` has any; published SwinIR training has 250,000, 400,000, 450,000 and 475,000.",
        "gamma": "published schedules halve the rate; above 1 it would rise.",
    },
    "NetworkSettings": {
        "arguments": "the constructor's own defaults. Published checkpoints of other widths need theirs.",
        "start": "without one the weights are the constructor's, drawn from the seed. Steering is fine-tuning: begin"
        " from a checkpoint that restores.",
        "key": "published files name it in one of these ways. Say it where a file holds several sets of weights.",
    },
    "RestorerSettings": {
        "multiple": "convolutional networks take any size. SwinIR and PromptIR take 8.",
        "strictly_larger": "padding only where it is needed. Switch it on to repeat SwinIR's published figures.",
        "tile": "whole images are exact. Set 256 or so where an image does not fit into memory; networks that look at"
        " the whole image change a little in tiles. Tiles share at least 16 pixels, so one must be larger than that.",
    },
    "LossSettings": {
        "backbone": "VGG19 for `perceptual`, VGG16 for `lpips`, as published. `efficientnet-lite0` needs no download.",
        "weights": "features that mean something. `random` is for tests of the plumbing.",
        "layers": "the published ones make results comparable.",
        "adversarial": "the criterion of Real-ESRGAN and of SwinIR's GAN training.",
        "discriminator": "adversarial losses need one, others none.",
        "isotropic": "the sum over both directions is cheaper; lengths do not favour edges along the axes.",
        "refine": "as the method was published; it needs `training.ema`. Off, the loss holds back details as well.",
        "metric": "only the kind `metric` has one: the baseline that steering by that metric must be compared with.",
        "metric_options": "the metric's own defaults.",
        "download": "nothing is fetched unasked.",
        "unpickle": "a checkpoint from elsewhere must not run code. Switch it on for files that you trust.",
        "sharpened": "as Real-ESRGAN was published. Say it for losses of your own.",
    },
    "Bounds": {
        "low": "room enough for losses whose raw values differ a hundredfold. Raise it for one that must not vanish.",
        "high": "above it one loss drowns all others. Set `per_loss` where raw losses differ much.",
        "per_loss": "the common limits do for most. Narrow those of a loss that spoils images when it is high.",
        "trust": "two weights can move sixteenfold against each other in one stage, and a bad answer spoils one stage"
        " only. Raise it where stages are few; it must be above 1 to move anything.",
        "frozen": "agents that look for weights themselves leave the first loss that is on alone, as the anchor. Name"
        " another one to have that as the anchor.",
        "switch": "an adversarial loss that does harm can be taken out. `false` keeps every loss in play.",
    },
}
"""Settings -> key -> reason."""
