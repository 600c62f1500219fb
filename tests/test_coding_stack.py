"""The stack: push and pop are inverse to the last bit, symbols cost their information, misuse is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaecourse.coding import Stack, cumulative_frequencies

FIRST = Stack.of_random_bits(1).heads
few = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@st.composite
def sources(draw):
    """Precision, cumulative frequencies [K + 1], symbols [T, b] and a number of lanes of at least b."""
    precision = draw(st.integers(1, 31))
    num_symbols = draw(st.integers(1, min(2**precision - 1, 40)))
    weights = draw(st.lists(st.integers(0, 2**31), min_size=num_symbols, max_size=num_symbols).filter(any))
    lanes, used, steps = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(1, 30))
    seed = draw(st.integers(0, 2**32))
    symbols = np.random.default_rng(seed).integers(0, num_symbols, (steps, min(used, lanes)))
    return precision, cumulative_frequencies(np.array(weights, np.int64), precision), symbols, lanes, seed


def intervals(below, symbols):
    return below[symbols], below[symbols + 1] - below[symbols]


def pop_symbols(stack, below, precision, num_lanes):
    point = stack.peek(precision, num_lanes).astype(np.int64)
    symbols = np.searchsorted(below, point, side="right") - 1
    stack.pop(*intervals(below, symbols), precision)
    return symbols


@few
@given(sources())
def test_pop_is_the_inverse_of_push(source):
    precision, below, symbols, lanes, seed = source
    stack, untouched = Stack.of_random_bits(lanes, seed), Stack.of_random_bits(lanes, seed)
    for row in symbols:
        stack.push(*intervals(below, row), precision)
        assert (stack.heads >= 1 << 31).all() and (stack.heads < 1 << 63).all()
    for row in symbols[::-1]:
        np.testing.assert_array_equal(pop_symbols(stack, below, precision, len(row)), row)
    assert stack == untouched and stack.num_clean_words == 0


@few
@given(sources())
def test_push_is_the_inverse_of_pop(source):
    """Symbols that nobody pushed are drawn from random bits; pushed back, they leave the bits as they were."""
    precision, below, symbols, lanes, seed = source
    stack = Stack.of_random_bits(lanes, seed)
    drawn = [pop_symbols(stack, below, precision, symbols.shape[1]) for _ in symbols]
    for row in drawn[::-1]:
        stack.push(*intervals(below, row), precision)
    assert stack == Stack.of_random_bits(lanes, seed, stack.num_clean_words)


@few
@given(sources())
def test_many_symbols_in_one_call_are_those_one_after_the_other(source):
    precision, below, symbols, lanes, seed = source
    one, other = Stack.of_random_bits(lanes, seed), Stack.of_random_bits(lanes, seed)
    one.push(*intervals(below, symbols), precision)
    for row in symbols:
        other.push(*intervals(below, row), precision)
    assert one == other


@few
@given(sources())
def test_a_symbol_costs_its_information(source):
    """And gives it back: to 2^(r - 30) bits of rounding a symbol (2^(r - 31) over log 2), whatever the frequencies."""
    precision, below, symbols, lanes, seed = source
    stack = Stack.of_random_bits(lanes, seed)
    before = stack.num_bits
    stack.push(*intervals(below, symbols), precision)
    ideal = -np.log2(intervals(below, symbols)[1] / 2**precision).sum()
    assert abs(stack.num_bits - before - ideal) <= symbols.size * (2.0 ** (precision - 30) + 1e-9)


@pytest.mark.parametrize("precision", [16, 20, 24])
@pytest.mark.parametrize("lanes", [1, 50])
def test_excess_over_the_entropy_of_a_known_source(precision, lanes):
    """Below .1 % at 100,000 symbols, the rounding of the frequencies included; a hundredth of that is the stack's."""
    p = np.array([0.5, 0.2, 0.15, 0.1, 0.04, 0.0099, 0.0001])
    below = cumulative_frequencies(np.rint(p * 2**30).astype(np.int64), precision)
    symbols = np.random.default_rng(0).choice(len(p), (100_000 // lanes, lanes), p=p)
    stack = Stack.of_random_bits(lanes)
    stack.push(*intervals(below, symbols), precision)
    ideal, quantised = -np.log2(p[symbols]).sum(), -np.log2(intervals(below, symbols)[1] / 2**precision).sum()
    net = stack.num_bits - stack.clean_bits
    assert abs(net / ideal - 1) < 1e-3
    assert abs(net / quantised - 1) < 1e-5


def test_what_is_written_is_what_is_counted():
    """Words and heads hold num_bits of information in 32 and 64 bits each: no lane leaves more than one word unused."""
    stack = Stack.of_random_bits(7)
    stack.push(np.zeros((1000, 7), int), np.full((1000, 7), 3), 10)
    written = 32 * len(stack.words) + 64 * 7
    assert written - 33 * 7 <= stack.num_bits <= written - 7


def test_draws_from_random_bits_follow_the_frequencies():
    """Each of 20,000 lanes draws one symbol: chi-square with 3 degrees of freedom, above 21 with probability 1e-4.

    With all heads at 2^31, where nothing is random, every lane would draw the first symbol.
    """
    frequency = np.array([1, 3, 4, 8])
    below = np.concatenate([[0], frequency.cumsum()])
    drawn = pop_symbols(Stack.of_random_bits(20_000, seed=3), below, 4, None)
    expected = 20_000 * frequency / 16
    assert ((np.bincount(drawn, minlength=4) - expected) ** 2 / expected).sum() < 21
    assert (pop_symbols(Stack(np.full(5, 1 << 31), np.zeros(5)), below, 4, None) == 0).all()


def test_clean_bits_are_counted_as_they_are_needed():
    """A stack that gives 24 bits a lane for every symbol drawn has nothing left but what was put there for it."""
    stack = Stack.of_random_bits(3, seed=1)
    first = stack.clean_bits
    for _ in range(10):
        stack.pop(stack.peek(24), np.ones(3), 24)
    assert stack.num_clean_words == pytest.approx(3 * 10 * 24 / 32, abs=3)
    assert stack.clean_bits == first + 32 * stack.num_clean_words
    assert stack.clean_bits - stack.num_bits == pytest.approx(3 * 10 * 24, abs=1e-3)


def test_an_empty_stack_without_a_source():
    stack = Stack(FIRST)
    with pytest.raises(ValueError, match="the stack is empty: more symbols are popped than were pushed"):
        for _ in range(5):
            stack.pop(stack.peek(24), np.ones(1), 24)


@pytest.mark.parametrize(
    ("start", "frequency", "precision", "sentence"),
    [
        ([0], [0], 4, r"interval must lie in \[0, 2\^4\) and hold at least one point"),
        ([9], [8], 4, r"interval must lie in \[0, 2\^4\)"),
        ([-1], [8], 4, r"interval must lie in \[0, 2\^4\)"),
        ([0], [8], 32, "precision must be between 1 and 31, and is 32"),
        ([0, 0], [8, 8], 4, r"at most 1 lanes, and have shapes \[1, 2\] and \[1, 2\]"),
        ([0], [[8], [8]], 4, r"of one shape, .* \[1, 1\] and \[2, 1\]"),
    ],
)
def test_symbols_that_are_none_are_refused(start, frequency, precision, sentence):
    stack = Stack(FIRST)
    with pytest.raises(ValueError, match=sentence):
        stack.push(start, frequency, precision)
    assert stack == Stack(FIRST)


def test_stacks_that_are_none_are_refused():
    for heads in ([], [1 << 30], [1 << 63], [[1 << 31]]):
        with pytest.raises(ValueError, match=r"heads must be one or more numbers in \[2\^31, 2\^63\)"):
            Stack(np.array(heads, np.uint64))
    with pytest.raises(ValueError, match="lanes must be at least 1, and is 0"):
        Stack.of_random_bits(0)
