"""Reasons for the settings of agents."""

from __future__ import annotations

_DEADLINE = "long enough for a large model on a busy server; a question that hangs costs no more than this. Above 0."
_TOTAL = "a decision must not cost more than the stage that it is about. Raise it for one question an image on a CPU."
_LIMIT = "fits the embedded model's window of 4,096 with the answer. Raise it for models with long windows."
_RETRIES = "most unusable answers are mended at the second try. 0 measures how often the first is right, as in the"

REASONS = {
    "AgentOptions": {
        "rollback": "agents are compared bare unless you ask for the guard. Take `true` for random moves and language"
        " models: in simulation random moves gained 1.6 to 2.1 times as much with it.",
    },
    "RandomSettings": {
        "spread": "as far as the trust region lets any agent go. A factor above 1; smaller ones explore less.",
    },
    "ScheduleSettings": {
        "end": "`linear` and `cosine` need it, the other shapes have none.",
        "factors": "`step` needs them, the other shapes have none.",
        "table": "`table` needs it, the other shapes have none.",
    },
    "ClimbSettings": {
        "step": "small moves drown in the noise of a stage; a factor of three shows. At 1 nothing would move.",
        "grow": "a direction that helps is followed faster, without leaps; 1 keeps steps as they are.",
        "shrink": "a step that failed both ways was too long for where it is; 1 would repeat it.",
        "restart": "a failed move costs one stage, and no damage stays. `false` for trainers that cannot go back.",
    },
    "BalanceSettings": {
        "shares": "equal shares are the convention. Give the anchor more where images lose fidelity.",
        "momentum": "adversarial gradients fluctuate with the discriminator; half of a jump is evened out. At 1"
        " nothing would move.",
        "alpha": "plain shares. GradNorm's pull towards losses that fall slowly is for tasks that matter alike, which"
        " losses of one image do not.",
    },
    "LookaheadSettings": {
        "width": "two siblings are the cheapest comparison; each more costs a stage. One would compare nothing.",
        "step": "as for `climb`: a factor of three shows within a stage's noise. At 1 siblings would be alike.",
    },
    "SearchSettings": {
        "method": "a Gaussian process learns from every evaluation; of ten stages CMA-ES makes two generations.",
        "restart_from": "a bad stage is not built upon. `head` for trainers that cannot go back.",
        "credit": "a score depends on where its stage began; the change is what the weights did.",
        "range": "two steps of the trust region of 4; beyond it losses vanish or drown the others. Above 1.",
        "startup": "a model of fewer points is a guess; each more is a stage of chance. At least the first stage.",
        "population": "two generations fit into ten stages. Larger ones average noise where stages are many.",
        "sigma": "a factor of 4.5: the first generation covers much of `range`. Above 0.",
    },
    "SweepSettings": {
        "settings": "draws do where you have no favourites. Name the settings that you would try by hand.",
        "count": "four short trials leave most of ten stages to the winner. One would be no sweep.",
        "trial": "the shortest that tells anything. Lengthen it where weights help late.",
        "range": "as for `search`: within two steps of the trust region. Above 1.",
    },
    "RespondSettings": {
        "explore": "in simulation `ucb` gained 0.48 where `thompson` gained 0.35 and `mean` 0.33.",
        "optimism": "one standard deviation, the value that those simulations were made with; 0 is `mean`.",
        "exploit": "what is tried out in the last stages cannot be made use of any more.",
        "restart": "in simulation `any` gained 0.48, `worse` 0.43, `never` 0.38; the last is all that a trainer which"
        " cannot go back can do.",
        "forget": "the response changes as training goes on, slowly: ten stages later a stage counts about a third. 1"
        " forgets nothing.",
        "safety": "in simulation 8 % of the states broke a limit with 0.8, 15 % with 0.5, 4 % with 0.9; certainty is"
        " never reached, so it stays below 1.",
    },
    "LLMOptions": {
        "query": "one question a stage. `per_image` is the paper's and costs as many as there are images.",
        "answer": "small models cannot choose decimals; lower, keep or raise they can. `json` for 8 billion parameters"
        " and more, `pattern` for the paper.",
        "thoughts": "the paper's line has them last; before the answer they give a model room to think. `off` is the"
        " cheapest.",
        "direction": "without it the paper's NIQE was 4.32 in place of 4.08. The others are for that ablation.",
        "history": "the paper's; with two states its MANIQA was lower. Beyond `prompt_limit` a summary stands in.",
        "example": "the paper's valid answers rose from 171 to 799 of 800 with one.",
        "constrain": "engines then give the form that is asked for. `false` for models that a grammar spoils, and for"
        " the paper.",
        "retries": f"{_RETRIES} paper's Table 9. Each costs a question, hence at most 20.",
        "step": "a doubling shows in few stages and stays within a trust region of 4. Above 1.",
        "switch": "a loss that is off teaches nothing. Allow it where one may do harm.",
        "share": "the paper's order. Switch it on for engines with a prefix cache: ten images then cost about two"
        " questions in place of eight.",
        "evidence": "a reader who knows noise and gradients has more to go by than weights and scores. `false` is the"
        " paper's.",
        "deadline": _DEADLINE,
        "total": _TOTAL,
        "prompt_limit": f"{_LIMIT} Below 200 the rules alone do not fit.",
        "thoughts_limit": "two sentences; small models ramble, and a grammar has to end them. At most 1,000.",
        "max_tokens": "holds an answer with short reasons. Raise it for models that think aloud.",
    },
    "HybridOptions": {
        "source": "candidates that a model of the run predicts to be good. `moves` where that should have no say.",
        "candidates": "12 short questions in pairs; six cost 30. One would leave nothing to choose.",
        "step": "a doubling, within a trust region of 4. Above 1; used by `moves` alone.",
        "ask": "a liking for a letter cancels, which decides everything in small models. `choice` is cheaper for large"
        " ones.",
        "trust_llm": "in a stylised problem a bad model cost little at 1, and one that is right three times in four"
        " gained nothing at any value. Raise it for a model that has shown that it compares well.",
        "thoughts": "a pair is answered by one letter, a choice gains by reasons before it.",
        "history": "short prompts for small models; the predictions know the rest.",
        "evidence": "one line on each loss: what the numbers do not hold.",
        "retries": f"{_RETRIES} paper's ablation. Each costs a question, hence at most 20.",
        "deadline": _DEADLINE,
        "total": _TOTAL,
        "prompt_limit": f"{_LIMIT} Below 200 the candidates do not fit.",
        "max_tokens": "a letter and some sentences. Raise it for models that think aloud.",
    },
    "EvidenceOptions": {
        "raw": "a loss that is nearly zero has nothing left to give.",
        "shares": "a weight tells little without the size of its gradient.",
        "noise": "keeps a reader from following chance.",
        "best": "what to beat, and where to go back to.",
        "guards": "side effects are seen only if they are shown.",
        "ceiling": "a score beyond the ground truth's is a warning, not a success.",
        "alarm": "says in words that the metric may be gamed.",
        "losses": "names alone tell a small model nothing.",
        "health": "of use only beside an adversarial loss that misbehaves, and it lengthens every prompt.",
        "trends": "off as later additions are, so that older experiments keep their prompts. On for long runs.",
        "response": "off as later additions are. On to let a model choose among predictions.",
        "helped": "off as later additions are. In one trial a small model that was trained to read moves read these"
        " rightly 92 times in 100, and 35 times as better and worse.",
    },
}
"""Settings -> key -> reason."""
