# %% right: step by step
def entropy_left(entropy, eigenvalues, step, num_steps):
    exact_one = by_probe = entropy
    for _ in range(num_steps):
        exact_one = exact_one + torch.log1p(-step * eigenvalues).sum()
        by_probe = by_probe + (-step * eigenvalues - step**2 * eigenvalues**2).sum()
    return exact_one.float(), by_probe.float()


# %% wrong: one
# says: return two
def entropy_left(entropy, eigenvalues, step, num_steps):
    return entropy + num_steps * (1 - step * eigenvalues).log().sum()


# %% wrong: a list
# says: return two
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return [entropy + num_steps * (1 - u).log().sum(), entropy - num_steps * (u + u**2).sum()]


# %% wrong: it grows
# says: the entropy falls
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return entropy - num_steps * (1 - u).log().sum(), entropy - num_steps * (u + u**2).sum()


# %% wrong: it grows, by a product
# says: the entropy falls
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return entropy - num_steps * (1 - u).prod().log(), entropy - num_steps * (u + u**2).sum()


# %% wrong: one step
# says: this is one step's loss
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return entropy + (1 - u).log().sum(), entropy - num_steps * (u + u**2).sum()


# %% wrong: one step of both
# says: this is one step's loss
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return entropy + (1 - u).prod().log(), entropy - (u + u**2).sum()


# %% wrong: squared
# says: not squared
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return entropy + 2 * num_steps * (1 - u).log().sum(), entropy - num_steps * (u + u**2).sum()


# %% wrong: squared, inside
# says: not squared
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return entropy + num_steps * (1 - u).square().log().sum(), entropy - num_steps * (u + u**2).sum()


# %% wrong: no square
# says: the square is missing
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return entropy + num_steps * (1 - u).log().sum(), entropy - num_steps * u.sum()


# %% wrong: no square, as a trace
# says: the square is missing
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return entropy + num_steps * (1 - u).log().sum(), entropy - num_steps * step * torch.diag(eigenvalues).trace()


# %% wrong: the square is added
# says: both terms are taken off
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return entropy + num_steps * (1 - u).log().sum(), entropy + num_steps * (u**2 - u).sum()


# %% wrong: the square is added, as a product
# says: both terms are taken off
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return entropy + num_steps * (1 - u).log().sum(), entropy - num_steps * (u * (1 - u)).sum()


# %% wrong: Taylor
# says: half of the square is Taylor's
def entropy_left(entropy, eigenvalues, step, num_steps):
    u = step * eigenvalues
    return entropy + num_steps * (1 - u).log().sum(), entropy - num_steps * (u + 0.5 * u**2).sum()


# %% wrong: Taylor, step by step
# says: half of the square is Taylor's
def entropy_left(entropy, eigenvalues, step, num_steps):
    u, by_probe = step * eigenvalues, entropy
    for _ in range(num_steps):
        by_probe = by_probe - (u * (1 + u / 2)).sum()
    return entropy + num_steps * (1 - u).log().sum(), by_probe
