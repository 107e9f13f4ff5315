"""What hosted models cost, and the caps on it."""

from __future__ import annotations

from lossagent.errors import ChatFailed, Refused


class Spending:
    """Counts tokens and money, and says no before a cap is passed.

    A resumed run adds what was spent before (:meth:`add`), from its recorded exchanges.

    Args:
        max_total_tokens: cap on prompt and completion tokens together, ``None`` for none.
        max_cost: cap on the cost, in the currency of the prices, ``None`` for none.
        prompt_price: price of a million tokens of the prompts.
        completion_price: price of a million tokens of the answers.
    """

    def __init__(
        self,
        max_total_tokens: int | None = None,
        max_cost: float | None = None,
        prompt_price: float | None = None,
        completion_price: float | None = None,
    ) -> None:
        if max_total_tokens is not None and max_total_tokens < 1:
            raise Refused(f"max_total_tokens must be >= 1 or null; found {max_total_tokens}.")
        if max_cost is not None and not max_cost > 0:
            raise Refused(f"max_cost must be > 0 or null; found {max_cost}.")
        if max_cost is not None and (prompt_price is None or completion_price is None):
            raise Refused(
                "max_cost needs prompt_price and completion_price (for a million tokens each), "
                "as the server does not tell them."
            )
        if any(price is not None and not price >= 0 for price in (prompt_price, completion_price)):
            raise Refused(f"prices must be >= 0; found {prompt_price}, {completion_price}.")
        self._cap = max_total_tokens
        self._max_cost = max_cost
        self._prices = (prompt_price or 0.0, completion_price or 0.0)
        self._prompt = 0
        self._completion = 0

    @property
    def tokens(self) -> int:
        """Tokens so far, prompts and completions."""
        return self._prompt + self._completion

    @property
    def cost(self) -> float:
        """Cost so far, 0 where no prices were given."""
        return (self._prompt * self._prices[0] + self._completion * self._prices[1]) / 1e6

    def add(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Counts tokens."""
        self._prompt += prompt_tokens
        self._completion += completion_tokens

    def check(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Refuses a question that may need so many tokens.

        Raises:
            ChatFailed: it could pass a cap; names both numbers.
        """
        if self._cap is not None and self.tokens + prompt_tokens + completion_tokens > self._cap:
            raise ChatFailed(
                f"the cap of {self._cap} tokens (max_total_tokens) would be passed: {self.tokens} are spent and "
                f"this question may need {prompt_tokens + completion_tokens}. Nothing was asked."
            )
        more = (prompt_tokens * self._prices[0] + completion_tokens * self._prices[1]) / 1e6
        if self._max_cost is not None and self.cost + more > self._max_cost:
            raise ChatFailed(
                f"the cap on cost of {self._max_cost:g} (max_cost) would be passed: {self.cost:.4g} is spent and "
                f"this question may cost {more:.2g}. Nothing was asked."
            )
