"""Reasons for the settings of language models."""

from __future__ import annotations

REASONS = {
    "EmbeddedSettings": {
        "model": "the smallest that ships as a package: it shows that everything runs, and decides at chance.",
        "context": "holds the default prompts and answers. More takes memory; below 256 no prompt fits.",
        "threads": "more speed up reading and hardly writing, and take cores from training.",
        "temperature": "the same prompt gives varied answers to different seeds. 0 follows the likeliest token, which"
        " under a grammar is a bias and no opinion.",
        "repeatable": "a run can be repeated to the word. `false` reads common beginnings once: much faster with one"
        " question an image.",
        "batch": "the engine looks at the clock between pieces: about a second for a small model. Larger ones read"
        " faster and stop later.",
    },
    "ServerSettings": {
        "key_env": "the usual name. Only the name is stored, never the key; null for servers of your own.",
        "answer_mode": "servers differ in what they enforce, and some accept a form and ignore it: it is tried out.",
        "temperature": "varied answers to different seeds. null for models that refuse a temperature.",
        "limit_field": "what most servers know. A server that wants the other one says so.",
        "timeout": "a single try may not use up a longer deadline. Above 0.",
        "retries": "waits of half a second to four seconds in between bridge a busy server. 0 fails at once.",
        "max_total_tokens": "servers of your own cost nothing by the token. Set it for hosted ones.",
        "max_cost": "no prices are known. Set it with both prices for hosted models; above 0.",
        "prompt_price": "prices change and differ. Take the one on the bill for what is read; needed by `max_cost`.",
        "completion_price": "prices change and differ. Take the one on the bill for what is written; needed by"
        " `max_cost`.",
    },
    "ScriptedSettings": {"name": "says in reports that no model answered."},
    "ReplaySettings": {"name": "says in reports that the answers are recorded ones."},
}
"""Settings -> key -> reason."""
