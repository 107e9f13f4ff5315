"""Reasons for the settings of metrics, reviewers and people."""

from __future__ import annotations

_TEMPERATURE = "the likeliest words, the same for the same image. Above 0 where several samples are wanted."
_CODE = "a checkpoint from elsewhere must not run code. Switch it on for files that you trust."
_OWN = {
    "unit": "nobody else knows it. Take what you would call a visible difference; above 0.",
    "low": "open. Name it where scores have an end, so that impossible ones are refused.",
    "high": "open. Name it where scores have an end, so that impossible ones are refused.",
    "reference": "a judgement without originals works on any photograph. Say `true` where it compares.",
    "deadline": "a metric that hangs costs no more than this. Raise it for slow ones; above 0.",
}

REASONS = {
    "PyIQASettings": {
        "options": "pyiqa's own defaults. PSNR and SSIM need `color_space: ycbcr` to match published super-resolution.",
        "border": "pyiqa's. Super-resolution leaves out as many pixels as the scale.",
        "batch": "16 fill a GPU without filling its memory; large models take one. Lower it where memory runs out.",
        "device": "beside training, where it is fastest. `cpu` where the GPU is full.",
        "unload": "loading anew after each stage takes time. Switch it on where a large metric leaves no room.",
        "unit": "a hundredth of the metric's range, or the field's habit. Above 0.",
        "deadline": "large models take minutes to load; one that hangs ends the scoring. Above 0.",
        "download": "nothing is fetched unasked.",
        "unpickle": _CODE,
    },
    "PythonSettings": _OWN,
    "CommandSettings": {**_OWN, "deadline": "one that hangs costs no more than this. It is for all images together."},
    "DescriberSettings": {
        "images": "the worst three tell what is wrong and keep prompts short. Take null with `query: per_image`.",
    },
    "ReviewOptions": {
        "show": "what people judge, too, and no original is needed. `pair` says what restoration changed.",
        "before": "the same comparison at each state. `parent` says what the last stage did.",
        "question": "the built-in one names the usual defects. Ask your own for others.",
        "samples": "one answer an image keeps the cost down. Several show how sure the model is; at most 20.",
        "images": "all are reviewed. Choose some where questions cost money.",
        "crop": "near what vision models look at, so that pixels are seen as they were restored. Below 32 nothing is"
        " recognised.",
        "max_bytes": "below the limits of hosted services. A question that is too large is not asked, and said.",
        "deadline": "long enough for a large model on a busy server; a question that hangs costs no more. Above 0.",
        "total": "reviewing must not cost more than the stage. What is left over is recorded; above 0.",
        "max_tokens": "sixty words are asked for. Raise it for models that think aloud.",
        "remark_limit": "sixty words and some to spare; remarks stand in prompts, which have an end.",
    },
    "ServerReviewerSettings": {
        "temperature": "remarks on two states should differ because the images do. Not 0 with several `samples`.",
    },
    "CoInstructSettings": {
        "model": "the paper's reviewer.",
        "revision": "the newest in the cache. Pin it: the code of that commit is executed.",
        "trust_remote_code": "nothing from elsewhere is executed unless you have said so.",
        "device": "where training is, while training waits. `cpu` where 16 GB do not fit.",
        "precision": "half the memory where hardware has it.",
        "temperature": _TEMPERATURE,
    },
    "PeopleSettings": {
        "ask": "people compare more reliably than they mark. `rating` where there is nothing to compare with.",
        "images": "all of them. A dozen answers a stage already show little; fewer show less.",
        "against": "each answer speaks of one stage's change. `best` where states go up and down.",
        "repeats": "one answer in seven measures how consistent people are; 0 saves their time, 1 doubles it.",
        "raters": "a run can go on with one. Several take out personal taste.",
        "deadline": "people may take their time. Set it where a run must end.",
        "patience": "an hour at the desk; then the process frees the machine, and `lossagent resume` waits again. 0"
        " ends at once.",
        "final": "the fewest with which anything can be claimed. Take 20: with 70 of 100 answers for it, 12 images find"
        " that in 25 %, 20 in 42 % of cases.",
        "question": "the built-in question asks for the better image. Ask for what you care about.",
    },
}
"""Settings -> key -> reason."""
