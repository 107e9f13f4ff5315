"""The response model names candidates and says what it expects of them; a language model is asked which is better."""

from lossagent.agents.hybrid.agent import Hybrid
from lossagent.agents.hybrid.options import HybridOptions

__all__ = ["Hybrid", "HybridOptions"]
