# %% right: with torch's normal distribution
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    inner = torch.distributions.Normal(0.0, 1.0).icdf(torch.arange(1, number).double() / number)
    cdf = torch.distributions.Normal(torch.tensor(loc).double(), torch.tensor(scale).double()).cdf(inner)
    places = (cdf * (2**precision - number)).floor().long()
    ends = torch.tensor([2**precision - number])
    return torch.diff(torch.cat([torch.zeros(1).long(), places, ends])) + 1


# %% right: cell by cell, with scipy
def cell_frequencies(loc, scale, num_cell_bits, precision):
    from scipy.stats import norm

    number = 2**num_cell_bits
    below = [int(norm.cdf(norm.ppf(k / number), loc, scale) * (2**precision - number)) for k in range(number + 1)]
    return torch.tensor([below[k + 1] - below[k] + 1 for k in range(number)])


# %% wrong: nothing is returned
# says: cell_frequencies returns nothing
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits


# %% wrong: pass
# says: cell_frequencies returns nothing
def cell_frequencies(loc, scale, num_cell_bits, precision):
    pass


# %% wrong: the cumulative frequencies
# says: one frequency for each of 16 cells
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    edges = torch.special.ndtri(torch.arange(number + 1).double() / number)
    return (torch.special.ndtr((edges - loc) / scale) * (2**precision - number)).floor().long()


# %% wrong: the inner cells only
# says: one frequency for each of 16 cells
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    edges = torch.special.ndtri(torch.arange(1, number).double() / number)
    return (torch.special.ndtr((edges - loc) / scale) * (2**precision - number)).floor().long().diff() + 1


# %% wrong: masses
# says: frequencies are whole numbers
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    edges = torch.special.ndtri(torch.arange(number + 1).double() / number)
    return torch.special.ndtr((edges - loc) / scale).diff()


# %% wrong: masses times 2^r
# says: frequencies are whole numbers
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    edges = torch.special.ndtri(torch.arange(number + 1).double() / number)
    return torch.special.ndtr((edges - loc) / scale).diff() * 2**precision


# %% wrong: no place for the cells that q forgets
# says: some cells have frequency 0
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    edges = torch.special.ndtri(torch.arange(number + 1).double() / number)
    return (torch.special.ndtr((edges - loc) / scale) * 2**precision).floor().long().diff()


# %% wrong: each mass rounded by itself
# says: some cells have frequency 0
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    edges = torch.special.ndtri(torch.arange(number + 1).double() / number)
    return (torch.special.ndtr((edges - loc) / scale).diff() * 2**precision).round().long()


# %% wrong: one place more for every cell
# says: the frequencies sum to
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    edges = torch.special.ndtri(torch.arange(number + 1).double() / number)
    return (torch.special.ndtr((edges - loc) / scale) * 2**precision).floor().long().diff() + 1


# %% wrong: masses rounded down, and at least one
# says: the frequencies sum to
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    edges = torch.special.ndtri(torch.arange(number + 1).double() / number)
    return (torch.special.ndtr((edges - loc) / scale).diff() * 2**precision).floor().long().clamp(min=1)


# %% wrong: the prior's own
# says: these are the cells' masses under the prior
def cell_frequencies(loc, scale, num_cell_bits, precision):
    return torch.full((2**num_cell_bits,), 2 ** (precision - num_cell_bits))


# %% wrong: q forgotten in the formula
# says: these are the cells' masses under the prior
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    edges = torch.special.ndtri(torch.arange(number + 1).double() / number)
    return (torch.special.ndtr(edges) * (2**precision - number)).round().long().diff() + 1


# %% wrong: the variance
# says: scale is a standard deviation
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    edges = torch.special.ndtri(torch.arange(number + 1).double() / number)
    return (torch.special.ndtr((edges - loc) / scale**2) * (2**precision - number)).floor().long().diff() + 1


# %% wrong: the variance, through torch's normal
# says: scale is a standard deviation
def cell_frequencies(loc, scale, num_cell_bits, precision):
    number = 2**num_cell_bits
    edges = torch.special.ndtri(torch.arange(number + 1).double() / number)
    q = torch.distributions.Normal(loc, scale * scale, validate_args=False)
    return (q.cdf(edges) * (2**precision - number)).floor().long().diff() + 1
