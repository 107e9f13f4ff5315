"""Units of the settings that are numbers. A number without a unit here is refused when the schema is made."""

from __future__ import annotations

_BY_UNIT = {
    "seconds": "deadline timeout total PeopleSettings.patience",
    "iterations": "iterations warmup warmup_iterations milestones log_every partial_every max_skipped",
    "stages": "stages exploit trial",
    "states": "history keep",
    "images": "images pictures pool batch ImagesSettings.count",
    "answers": "samples",
    "micro-batches": "accumulate",
    "batches": "evidence_batches",
    "pixels": "patch tile crop border multiple",
    "grey levels of 255": "NoiseSettings.sigma",
    "megabytes": "cache",
    "bytes": "max_bytes",
    "tokens": "max_tokens max_total_tokens prompt_limit context EmbeddedSettings.batch",
    "characters": "remark_limit thoughts_limit",
    "threads": "threads workers",
    "people": "raters",
    "pairs": "final",
    "tries": "retries",
    "times": "RollbackSettings.patience",
    "candidates": "candidates population width",
    "evaluations": "startup",
    "settings": "SweepSettings.count",
    "seeds": "SeedRange.count",
    "factor": "scale step range spread grow shrink gamma trust factors momentum forget betas ema alpha importance"
    " weight_decay",
    "share, 0 to 1": "shares repeats max_damaged",
    "probability": "safety",
    "standard deviations": "optimism trust_llm",
    "natural log of a ratio": "SearchSettings.sigma",
    "step size": "learning_rate discriminator_learning_rate minimum",
    "gradient norm": "clip",
    "loss weight": "weight low high per_loss end table full settings",
    "weight of a layer": "layers",
    "relative frequency": "ImagesSettings.weight",
    "score units": "unit tolerance at_least at_most PythonSettings.low PythonSettings.high CommandSettings.low"
    " CommandSettings.high",
    "currency of the prices": "max_cost",
    "currency for a million tokens": "prompt_price completion_price",
    "of sampling": "temperature",
    "a label": "seed seeds first",
    "as the metric has them": "options metric_options",
}
UNITS = {key: unit for unit, keys in _BY_UNIT.items() for key in keys.split()}
"""Key, or ``Class.key`` where one class means something else by it -> unit."""


def unit_of(owner: str, key: str) -> str | None:
    """The unit of a setting, by the name of its class and its own; ``None`` where nobody gave one."""
    return UNITS.get(f"{owner}.{key}", UNITS.get(key))
