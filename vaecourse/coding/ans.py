"""A stack of symbols inside a few large numbers: range asymmetric numeral systems, in integer arithmetic only.

A number that was h becomes about h / P(symbol) when a symbol is pushed, so that log2 h grows by the symbol's
information; popping undoes it to the last bit. What outgrows 63 bits is moved, 32 bits at a time, onto a list of words.
"""

from __future__ import annotations

import numpy as np

LOWEST = 1 << 31  # every head lies in [2^31, 2^63): one word more or less is all that a symbol can move
WORD = 32
MAX_PRECISION = 31  # with more, a head might need two words for one symbol


class EmptyStackError(ValueError):
    """More was popped than had been pushed."""


class Stack:
    r"""Last in, first out: B lanes side by side, each with a head of its own, above one list of words that they share.

    A symbol is an interval [start, start + frequency) of [0, 2^r), r the precision. It costs
    :math:`\log_2 (2^r / \mathrm{frequency})` bits, and gives them back when it is popped; to pop a symbol that was
    never pushed is to draw it, with these probabilities, out of the bits that lie on top.

    Args:
        heads: one number in [2^31, 2^63) for each lane, [B].
        words: uint32, the last one on top.
        source: where random words come from when the stack is empty (encoding starts with such *clean* bits); with none
            an empty stack is an error.

    References:
        Duda (2009), Asymmetric numeral systems; Giesen (2014), Interleaved entropy coders.

    Example:
        >>> stack = Stack(np.array([LOWEST, LOWEST]))
        >>> stack.push(start=[0, 3], frequency=[3, 1], precision=2)  # of 4: a symbol of probability 3/4, one of 1/4
        >>> bits = stack.num_bits
        >>> stack.peek(2)  # a point of each symbol's interval
        array([2, 3], dtype=uint64)
        >>> stack.pop(start=[0, 3], frequency=[3, 1], precision=2)
        >>> round(bits - stack.num_bits, 3)  # log2 4/3 + log2 4
        2.415
    """

    def __init__(self, heads: np.ndarray, words: np.ndarray = (), source: np.random.PCG64 | None = None):
        self.heads = np.array(heads, np.uint64)
        if self.heads.ndim != 1 or not len(self.heads) or ((self.heads < LOWEST) | (self.heads >= 1 << 63)).any():
            raise ValueError(f"heads must be one or more numbers in [2^31, 2^63), and are {heads!r}")
        self._buffer = np.array(words, np.uint32)
        self._num_words = len(self._buffer)
        self._source = source
        self.num_clean_words = 0
        self.clean_bits = 0.0

    @classmethod
    def of_random_bits(cls, lanes: int, seed: int = 0, num_words: int = 0) -> Stack:
        """A stack of random bits to begin encoding with, and more of them whenever it runs empty.

        The heads are random as well: were they all 2^31, the first symbol drawn from each would be no draw. Words come
        one below the other, in the order of the generator (PCG64, whose stream NumPy keeps): a decoder that knows the
        seed knows what must be left when everything else is popped.
        """
        if lanes < 1:
            raise ValueError(f"lanes must be at least 1, and is {lanes}")
        source = np.random.PCG64(seed)
        stack = cls((source.random_raw(lanes) >> 33) | LOWEST, source=source)
        stack.clean_bits = stack.num_bits
        stack._store(stack._clean_words(num_words))
        return stack

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Stack)
            and np.array_equal(self.heads, other.heads)
            and np.array_equal(self.words, other.words)
        )

    __hash__ = None

    @property
    def words(self) -> np.ndarray:
        """The words below the heads, uint32, the last one on top."""
        return self._buffer[: self._num_words]

    @property
    def num_bits(self) -> float:
        """The information on the stack: 32 bits a word, and log2 of each head.

        :attr:`clean_bits` of them are the random ones put there by :meth:`of_random_bits`; the rest was pushed.
        """
        return WORD * self._num_words + float(np.log2(self.heads.astype(np.float64)).sum())

    def push(self, start: np.ndarray, frequency: np.ndarray, precision: int) -> None:
        """Put a symbol onto each of the first b lanes, or several on each, one after the other.

        Args:
            start: where the symbols' intervals begin, integers of shape [b] or [T, b].
            frequency: how long they are, of the same shape, each at least 1.
            precision: r; intervals lie in [0, 2^r), r at most 31.

        Raises:
            ValueError: an interval is empty or ends above 2^r, or there are more symbols than lanes.
        """
        starts, frequencies = self._intervals(start, frequency, precision)
        for start, frequency in zip(starts, frequencies):
            heads = self.heads[: len(start)]
            full = heads >= frequency << (63 - precision)  # these would reach 2^63
            if full.any():
                self._store(heads[full].astype(np.uint32))  # their lower halves
                heads[full] >>= WORD
            quotient = heads // frequency
            heads[:] = (quotient << precision) + (heads - quotient * frequency) + start

    def peek(self, precision: int, num_lanes: int | None = None) -> np.ndarray:
        """A point of [0, 2^r) for each of the first lanes, uint64: it lies in the interval of the symbol on top."""
        return self.heads[:num_lanes] & ((1 << precision) - 1)

    def pop(self, start: np.ndarray, frequency: np.ndarray, precision: int) -> None:
        """Take a symbol off each of the first b lanes: the exact inverse of :meth:`push`.

        Args:
            start: of the intervals in which :meth:`peek` lies, [b].
            frequency: of the same, [b].
            precision: r.

        Raises:
            EmptyStackError: the stack is empty, and has no source of clean bits; it is a ValueError.
        """
        start, frequency = np.asarray(start, np.uint64), np.asarray(frequency, np.uint64)
        heads = self.heads[: len(start)]
        heads[:] = frequency * (heads >> precision) + (heads & ((1 << precision) - 1)) - start
        low = heads < LOWEST
        if low.any():
            heads[low] = heads[low] << WORD | self._take(int(np.count_nonzero(low)))

    def _intervals(self, start: np.ndarray, frequency: np.ndarray, precision: int) -> tuple[np.ndarray, np.ndarray]:
        if not 1 <= precision <= MAX_PRECISION:
            raise ValueError(f"precision must be between 1 and {MAX_PRECISION}, and is {precision}")
        start, frequency = np.asarray(start), np.asarray(frequency)
        start, frequency = (np.atleast_2d(part.astype(np.int64, copy=False)) for part in (start, frequency))
        if start.shape != frequency.shape or start.shape[-1] > len(self.heads):
            raise ValueError(
                f"start and frequency must be of one shape, one symbol for each of at most {len(self.heads)} lanes, "
                f"and have shapes {list(start.shape)} and {list(frequency.shape)}"
            )
        if start.size and (frequency.min() < 1 or start.min() < 0 or (start + frequency).max() > 1 << precision):
            raise ValueError(f"every symbol's interval must lie in [0, 2^{precision}) and hold at least one point")
        return start.view(np.uint64), frequency.view(np.uint64)

    def _store(self, words: np.ndarray) -> None:
        """Words on top."""
        top = self._num_words + len(words)
        if top > len(self._buffer):
            self._buffer = np.concatenate([self.words, np.empty(top + 1024, np.uint32)])  # twice as large
        self._buffer[self._num_words : top] = words
        self._num_words = top

    def _take(self, number: int) -> np.ndarray:
        """So many words off the top; what is missing comes from the source, as if it had lain at the bottom."""
        words = self._buffer[max(0, self._num_words - number) : self._num_words]
        self._num_words -= len(words)
        if missing := number - len(words):
            if self._source is None:
                raise EmptyStackError("the stack is empty: more symbols are popped than were pushed")
            words = np.concatenate([self._clean_words(missing), words])
        return words.astype(np.uint64)

    def _clean_words(self, number: int) -> np.ndarray:
        """The next random words, the first one on top."""
        self.num_clean_words += number
        self.clean_bits += WORD * number
        return (self._source.random_raw(number) >> WORD).astype(np.uint32)[::-1]
