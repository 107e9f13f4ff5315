"""The language-model agent: three prompts, four forms of answers, and what is done when an answer is unusable."""

from lossagent.agents.llm.agent import LLM
from lossagent.agents.llm.candidates import Option
from lossagent.agents.llm.choice import Choice
from lossagent.agents.llm.formats import Format, Parsed
from lossagent.agents.llm.moves import Moves
from lossagent.agents.llm.numbers import Numbers
from lossagent.agents.llm.options import EvidenceOptions, LLMOptions
from lossagent.agents.llm.pattern import Pattern
from lossagent.agents.llm.tokens import CountsTokens

__all__ = [
    "LLM",
    "Choice",
    "CountsTokens",
    "EvidenceOptions",
    "Format",
    "LLMOptions",
    "Moves",
    "Numbers",
    "Option",
    "Parsed",
    "Pattern",
]
