"""How long to wait before the next try."""

import random


def backoff(attempt: int, first: float, cap: float) -> float:
    """Doubling from `first` up to `cap`, of which a random half is taken away, so that clients cut off together don't come back together."""
    full: float = min(cap, first * 2 ** min(attempt, 20))
    return full / 2 + full / 2 * random.random()
