"""The comparison of times that S5 rests on."""

import random

from tests.support.timing import mann_whitney

SEED = 7


def test_the_same_times_are_no_sign() -> None:
    """Two samples of one kind are told apart about as often as chance says."""
    chance = random.Random(SEED)
    seen = [
        mann_whitney(*([chance.gauss(10, 1) for _ in range(100)] for _ in range(2)))
        for _ in range(200)
    ]
    assert sum(p < 0.05 for p in seen) <= 20


def test_a_small_difference_is_found() -> None:
    """Half a standard deviation shows in two hundred answers."""
    chance = random.Random(SEED)
    ones, others = ([chance.gauss(mean, 1) for _ in range(200)] for mean in (10, 10.5))
    assert mann_whitney(ones, others) < 0.01
