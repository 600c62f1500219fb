# %% right: with the error function
def stretch_and_bridge(a, b, d, M):
    def quantile(p):
        return math.sqrt(2) * torch.erfinv(torch.tensor(2 * p - 1, dtype=torch.float64)).item()

    return d / (-quantile(a) - quantile(b)), math.erf(d / (2 * M) / math.sqrt(2))


# %% right: from the survival function
def stretch_and_bridge(a, b, d, M):
    normal = td.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    upper = [normal.icdf(torch.tensor(1 - share, dtype=torch.float64)) for share in (a, b)]
    tail = normal.cdf(torch.tensor(-d / 2 / M, dtype=torch.float64))
    return d / sum(upper), 1 - 2 * tail


# %% wrong: a negative stretch
# says: a stretch is positive
def stretch_and_bridge(a, b, d, M):
    normal = td.Normal(0.0, 1.0)
    a, b = torch.tensor([a, b], dtype=torch.float64)
    return d / (normal.icdf(a) + normal.icdf(b)), torch.zeros(())


# %% wrong: a negative stretch, in floats
# says: a stretch is positive
def stretch_and_bridge(a, b, d, M):
    icdf = td.Normal(torch.zeros((), dtype=torch.float64), 1.0).icdf
    return float(d / (icdf(torch.tensor(a).double()) + icdf(torch.tensor(b).double()))), 0.1


# %% wrong: one side twice
# says: this uses one of the two sides twice
def stretch_and_bridge(a, b, d, M):
    normal = td.Normal(0.0, 1.0)
    return d / (-2 * normal.icdf(torch.tensor(a, dtype=torch.float64))), 0.0


# %% wrong: one side twice, halved
# says: this uses one of the two sides twice
def stretch_and_bridge(a, b, d, M):
    t = -td.Normal(0.0, 1.0).icdf(torch.tensor(a, dtype=torch.float64))
    return d / 2 / t, 2 * td.Normal(0.0, 1.0).cdf(torch.tensor(d / (2 * M))) - 1


# %% wrong: upside down
# says: this is upside down
def stretch_and_bridge(a, b, d, M):
    normal = td.Normal(0.0, 1.0)
    a, b = torch.tensor([a, b], dtype=torch.float64)
    return -(normal.icdf(a) + normal.icdf(b)) / d, 0.0


# %% wrong: upside down, in floats
# says: this is upside down
def stretch_and_bridge(a, b, d, M):
    icdf = td.Normal(torch.zeros((), dtype=torch.float64), 1.0).icdf
    return float(icdf(torch.tensor(1 - a).double()) + icdf(torch.tensor(1 - b).double())) / d, 0.2


# %% wrong: one side of the strip
# says: this is one side
def stretch_and_bridge(a, b, d, M):
    normal = td.Normal(0.0, 1.0)
    a, b = torch.tensor([a, b], dtype=torch.float64)
    half = normal.cdf(torch.tensor(d / (2 * M), dtype=torch.float64))
    return -d / (normal.icdf(a) + normal.icdf(b)), half - 0.5


# %% wrong: one side of the strip, by the error function
# says: this is one side
def stretch_and_bridge(a, b, d, M):
    normal = td.Normal(0.0, 1.0)
    a, b = torch.tensor([a, b], dtype=torch.float64)
    return -d / (normal.icdf(a) + normal.icdf(b)), math.erf(d / (2 * M) / math.sqrt(2)) / 2


# %% wrong: all that is left of the strip's end
# says: what is to the left of the strip's right end
def stretch_and_bridge(a, b, d, M):
    normal = td.Normal(0.0, 1.0)
    a, b = torch.tensor([a, b], dtype=torch.float64)
    return -d / (normal.icdf(a) + normal.icdf(b)), normal.cdf(torch.tensor(d / (2 * M), dtype=torch.float64))


# %% wrong: all that is left of the strip's end, from the tail
# says: what is to the left of the strip's right end
def stretch_and_bridge(a, b, d, M):
    normal = td.Normal(0.0, 1.0)
    a, b = torch.tensor([a, b], dtype=torch.float64)
    return -d / (normal.icdf(a) + normal.icdf(b)), 1 - normal.cdf(torch.tensor(-d / (2 * M), dtype=torch.float64))


# %% wrong: twice the strip
# says: this takes the whole of d/M
def stretch_and_bridge(a, b, d, M):
    normal = td.Normal(0.0, 1.0)
    a, b = torch.tensor([a, b], dtype=torch.float64)
    return -d / (normal.icdf(a) + normal.icdf(b)), 2 * normal.cdf(torch.tensor(d / M, dtype=torch.float64)) - 1


# %% wrong: twice the strip, by the error function
# says: this takes the whole of d/M
def stretch_and_bridge(a, b, d, M):
    normal = td.Normal(0.0, 1.0)
    a, b = torch.tensor([a, b], dtype=torch.float64)
    return -d / (normal.icdf(a) + normal.icdf(b)), math.erf(d / M / math.sqrt(2))


# %% wrong: the stretch alone
# says: return two numbers
def stretch_and_bridge(a, b, d, M):
    normal = td.Normal(0.0, 1.0)
    return d / -(normal.icdf(torch.tensor(a)) + normal.icdf(torch.tensor(b)))


# %% wrong: nothing
# says: return two numbers
def stretch_and_bridge(a, b, d, M):
    return None
