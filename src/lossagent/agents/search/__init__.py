"""Black-box optimisers by ask and tell, rebuilt from the trajectory at each decision."""

from lossagent.agents.search.agent import Search
from lossagent.agents.search.settings import SearchSettings

__all__ = ["Search", "SearchSettings"]
