# %% right: from the moments of a normal, in tensors of float32
def baseline_variance(mu, b):
    mu, b = torch.tensor(mu), torch.tensor(b)
    second = (mu**2 - b) ** 2 + 12 * mu**2 - 4 * mu**2 + 6 * (mu**2 - b) + 15
    return second, mu**2 + 3


# %% right: by quadrature
def baseline_variance(mu, b):
    node, weight = np.polynomial.hermite_e.hermegauss(20)
    weight = weight / weight.sum()
    f = (mu + node) ** 2
    variance = (weight * ((f - b) * node) ** 2).sum() - (2 * mu) ** 2
    return variance, (weight * f * node**2).sum()


# %% wrong: nothing is returned
# says: return two numbers
def baseline_variance(mu, b):
    c = mu**2 - b
    c**2 + 6 * c + 8 * mu**2 + 15


# %% wrong: the variance alone
# says: return two numbers
def baseline_variance(mu, b):
    c = mu**2 - b
    return c**2 + 6 * c + 8 * mu**2 + 15


# %% wrong: the squared mean is not taken off
# says: that is the second moment
def baseline_variance(mu, b):
    c = mu**2 - b
    return c**2 + 6 * c + 12 * mu**2 + 15, mu**2 + 3


# %% wrong: the second moment by quadrature
# says: that is the second moment
def baseline_variance(mu, b):
    node, weight = np.polynomial.hermite_e.hermegauss(20)
    return float((weight / weight.sum() * (((mu + node) ** 2 - b) * node) ** 2).sum()), mu**2 + 3


# %% wrong: the mean of f as the best baseline
# says: that is the mean of f
def baseline_variance(mu, b):
    c = mu**2 - b
    return c**2 + 6 * c + 8 * mu**2 + 15, mu**2 + 1


# %% wrong: the mean of f, from its variance
# says: that is the mean of f
def baseline_variance(mu, b):
    c = mu**2 - b
    mean_f = 1 + mu * mu
    return c**2 + 6 * c + 8 * mu**2 + 15, mean_f


# %% wrong: a fourth moment of 2
# says: the variance is
def baseline_variance(mu, b):
    c = mu**2 - b
    return c**2 + 4 * c + 8 * mu**2 + 15, mu**2 + 3
