"""Randomness: a seed for a while, whatever happens meanwhile."""

import pytest
import torch

from vaecourse.randomness import seeded

CPU = torch.device("cpu")


def test_a_seed_rules_for_a_while_and_the_state_before_comes_back():
    """After a failure too: a caller who catches it must not go on with the noise of a seed."""
    torch.manual_seed(5)
    before, drawn = torch.get_rng_state(), []
    for _ in range(2):
        with seeded(3, CPU):
            drawn.append(torch.rand(4))
    assert torch.equal(*drawn) and torch.equal(torch.get_rng_state(), before)
    with pytest.raises(ZeroDivisionError), seeded(3, CPU):
        torch.rand(4)
        raise ZeroDivisionError
    assert torch.equal(torch.get_rng_state(), before)
