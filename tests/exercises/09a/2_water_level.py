# %% right: by halving an interval
def water_level(eigenvalues, budget):
    low, high = 0.0, float(eigenvalues.max())
    for _ in range(100):
        middle = (low + high) / 2
        spent = 0.5 * (eigenvalues / middle).log().clamp(min=0).sum()
        low, high = (middle, high) if spent > budget else (low, middle)
    return middle


# %% right: all numbers of directions at once
def water_level(eigenvalues, budget):
    logs = eigenvalues.sort(descending=True).values.log()
    number = torch.arange(1, len(logs) + 1)
    levels = (logs.cumsum(0) - 2 * budget) / number
    return levels[(logs > levels).nonzero().max()].exp()


# %% wrong: every direction is coded
# says: this puts all directions above the water
def water_level(eigenvalues, budget):
    return torch.exp((eigenvalues.log().sum() - 2 * budget) / len(eigenvalues)).item()


# %% wrong: the geometric mean, lowered
# says: this puts all directions above the water
def water_level(eigenvalues, budget):
    return eigenvalues.log().mean().exp().item() * math.exp(-2 * budget / len(eigenvalues))


# %% wrong: a scale for a variance
# says: this is the square root of the level
def water_level(eigenvalues, budget):
    logs = eigenvalues.sort(descending=True).values.log()
    levels = (logs.cumsum(0) - 2 * budget) / torch.arange(1, len(logs) + 1)
    return (levels[(logs > levels).nonzero().max()] / 2).exp().item()


# %% wrong: the noise's standard deviation
# says: this is the square root of the level
def water_level(eigenvalues, budget):
    low, high = 0.0, float(eigenvalues.max())
    for _ in range(100):
        middle = (low + high) / 2
        spent = 0.5 * (eigenvalues / middle).log().clamp(min=0).sum()
        low, high = (middle, high) if spent > budget else (low, middle)
    return middle**0.5


# %% wrong: without the half
# says: the rate is half the logarithm
def water_level(eigenvalues, budget):
    low, high = 0.0, float(eigenvalues.max())
    for _ in range(100):
        middle = (low + high) / 2
        spent = (eigenvalues / middle).log().clamp(min=0).sum()
        low, high = (middle, high) if spent > budget else (low, middle)
    return middle


# %% wrong: a rate per logarithm
# says: the rate is half the logarithm
def water_level(eigenvalues, budget):
    logs = eigenvalues.sort(descending=True).values.log()
    levels = (logs.cumsum(0) - budget) / torch.arange(1, len(logs) + 1)
    return levels[(logs > levels).nonzero().max()].exp()
