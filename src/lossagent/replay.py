"""Every decision of a recorded run once more, by its own agent or by another, without a language model."""
