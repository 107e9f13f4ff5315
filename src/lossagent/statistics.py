"""Paired comparisons over seeds: intervals, permutation tests, and Holm's correction."""
