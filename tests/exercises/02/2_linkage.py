# %% right: the step in float32
def linkage_step(theta, counts=(125, 18, 20, 34)):
    theta = theta.float()
    expected = counts[0] * theta / (2 + theta)
    return (expected + counts[3]) / (expected + counts[1] + counts[2] + counts[3])


# %% right: the rate by a forward difference
def linkage_rate(counts=(125, 18, 20, 34)):
    theta = torch.tensor(0.5, dtype=torch.float64)
    for _ in range(300):
        theta = linkage_step(theta, counts)
    return ((linkage_step(theta + 1e-4, counts) - linkage_step(theta, counts)) / 1e-4).item()


# %% right: the rate by formula
def linkage_rate(counts=(125, 18, 20, 34)):
    theta = torch.tensor(0.5, dtype=torch.float64)
    for _ in range(300):
        theta = linkage_step(theta, counts)
    expected, others = counts[0] * theta / (2 + theta), counts[1] + counts[2]
    return 2 * counts[0] / (2 + theta) ** 2 * others / (expected + counts[3] + others) ** 2


# %% wrong: a share of all animals
# says: the part 1/2 of the first class says nothing about theta
def linkage_step(theta, counts=(125, 18, 20, 34)):
    return (counts[0] * theta / (2 + theta) + counts[3]) / sum(counts)


# %% wrong: the other part of the first class votes against theta
# says: the part 1/2 of the first class says nothing about theta
def linkage_step(theta, counts=(125, 18, 20, 34)):
    q = theta / (2 + theta)
    return 1 - ((1 - q) * counts[0] + counts[1] + counts[2]) / sum(counts)


# %% wrong: the whole first class
# says: all of the first class was counted for theta
def linkage_step(theta, counts=(125, 18, 20, 34)):
    return torch.tensor((counts[0] + counts[3]) / sum(counts))


# %% wrong: a posterior of one
# says: all of the first class was counted for theta
def linkage_step(theta, counts=(125, 18, 20, 34)):
    q = (theta / 4) / (theta / 4)
    return (q * counts[0] + counts[3]) / (q * counts[0] + counts[1] + counts[2] + counts[3])


# %% wrong: without the first class
# says: the first class was left out
def linkage_step(theta, counts=(125, 18, 20, 34)):
    return torch.tensor(counts[3] / sum(counts[1:]))


# %% wrong: a posterior of zero
# says: the first class was left out
def linkage_step(theta, counts=(125, 18, 20, 34)):
    successes = 0 * theta + counts[3]
    return successes / (successes + counts[1] + counts[2])


# %% wrong: one minus the slope
# says: this is one minus the rate
def linkage_rate(counts=(125, 18, 20, 34)):
    theta = torch.tensor(0.5, dtype=torch.float64)
    for _ in range(200):
        theta = linkage_step(theta, counts)
    theta = theta.requires_grad_()
    return 1 - torch.autograd.grad(linkage_step(theta, counts), theta)[0].item()


# %% wrong: how much of the error a step removes
# says: this is one minus the rate
def linkage_rate(counts=(125, 18, 20, 34)):
    theta = torch.tensor(0.5, dtype=torch.float64)
    for _ in range(200):
        theta = linkage_step(theta, counts)
    return ((1e-4 - (linkage_step(theta + 1e-4, counts) - theta)) / 1e-4).item()


# %% wrong: of a likelihood's gap
# says: this is the rate squared
def linkage_rate(counts=(125, 18, 20, 34)):
    def log_px(theta):
        mixed = counts[0] * (2 + theta).log() + (counts[1] + counts[2]) * (1 - theta).log()
        return mixed + counts[3] * theta.log()

    top = torch.tensor(0.5, dtype=torch.float64)
    for _ in range(300):
        top = linkage_step(top, counts)
    near = top + 1e-3
    after = linkage_step(near, counts)
    return ((log_px(top) - log_px(after)) / (log_px(top) - log_px(near))).item()


# %% wrong: the slope of two steps
# says: this is the rate squared
def linkage_rate(counts=(125, 18, 20, 34)):
    theta = torch.tensor(0.5, dtype=torch.float64)
    for _ in range(300):
        theta = linkage_step(theta, counts)
    theta = theta.requires_grad_()
    return torch.autograd.grad(linkage_step(linkage_step(theta, counts), counts), theta)[0].item()
