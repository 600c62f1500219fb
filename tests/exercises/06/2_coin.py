# %% right: from the definition of the best baseline, in float32
def coin_baseline(f_0, f_1, pi):
    f, q = torch.tensor([f_0, f_1]), torch.tensor([1 - pi, pi])
    squared = torch.tensor([-pi, 1 - pi]) ** 2
    return (q * f * squared).sum() / (q * squared).sum(), 0


# %% right: where both values are equal
def coin_baseline(f_0, f_1, pi):
    return f_1 + pi * (f_0 - f_1), 0.0


# %% wrong: nothing is returned
# says: return two numbers
def coin_baseline(f_0, f_1, pi):
    pi * f_0 + (1 - pi) * f_1, 0.0


# %% wrong: the baseline alone
# says: return two numbers
def coin_baseline(f_0, f_1, pi):
    return pi * f_0 + (1 - pi) * f_1


# %% wrong: the mean of f
# says: that is the mean of f
def coin_baseline(f_0, f_1, pi):
    return (1 - pi) * f_0 + pi * f_1, 0.0


# %% wrong: the mean of f, and what it leaves
# says: that is the mean of f
def coin_baseline(f_0, f_1, pi):
    b = f_0 + pi * (f_1 - f_0)
    return b, pi * (1 - pi) * (f_1 - f_0) ** 2


# %% wrong: the variance of f
# says: a variance is left over
def coin_baseline(f_0, f_1, pi):
    return pi * f_0 + (1 - pi) * f_1, pi * (1 - pi) * (f_1 - f_0) ** 2


# %% wrong: the squared gradient for the variance
# says: a variance is left over
def coin_baseline(f_0, f_1, pi):
    return pi * f_0 + (1 - pi) * f_1, (pi * (1 - pi) * (f_1 - f_0)) ** 2
