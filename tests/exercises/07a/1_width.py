# %% right: by quadrature, in float32
def width_variances(mu, sigma, baseline):
    nodes, weights = exact.gauss_hermite(12, dim=1, dtype=torch.float32)
    e = nodes[:, 0]
    z = mu + sigma * e
    draws = torch.stack([(z**2 - baseline) * (e**2 - 1) / sigma, 2 * z * e])
    mean = draws @ weights
    return tuple((draws - mean[:, None]) ** 2 @ weights)


# %% right: grouped by powers of the noise
def width_variances(mu, sigma, baseline):
    a, b, c = (mu**2 - baseline) / sigma, 2 * mu, sigma
    score = 2 * a**2 + 10 * b**2 + 78 * c**2 + 20 * a * c - 4 * sigma**2
    return score, 4 * (mu**2 + 2 * sigma**2)


# %% wrong: second moments
# says: that is the second moment: subtract the square of the mean
def width_variances(mu, sigma, baseline):
    a = mu**2 - baseline
    return (2 * a**2 + 20 * a * sigma**2 + 40 * mu**2 * sigma**2 + 78 * sigma**4) / sigma**2, 4 * mu**2 + 12 * sigma**2


# %% wrong: the mean is subtracted from the first only
# says: the variance of the pathwise estimate is
def width_variances(mu, sigma, baseline):
    a = mu**2 - baseline
    second = (2 * a**2 + 20 * a * sigma**2 + 40 * mu**2 * sigma**2 + 78 * sigma**4) / sigma**2
    return second - 4 * sigma**2, 4 * mu**2 + 10 * sigma**2


# %% wrong: the second is a second moment
# says: that is the second moment: subtract the square of the mean
def width_variances(mu, sigma, baseline):
    a = mu**2 - baseline
    second = (2 * a**2 + 20 * a * sigma**2 + 40 * mu**2 * sigma**2 + 78 * sigma**4) / sigma**2
    return second - 4 * sigma**2, 4 * mu**2 + 12 * sigma**2


# %% wrong: the second is a second moment, and in tensors
# says: that is the second moment: subtract the square of the mean
def width_variances(mu, sigma, baseline):
    a = mu**2 - baseline
    second = (2 * a**2 + 20 * a * sigma**2 + 40 * mu**2 * sigma**2 + 78 * sigma**4) / sigma**2
    return torch.tensor(second - 4 * sigma**2), torch.tensor(4 * mu**2 + 12 * sigma**2)


# %% wrong: score by the standardised noise
# says: right at sigma = 1 only
def width_variances(mu, sigma, baseline):
    a = mu**2 - baseline
    second = 2 * a**2 + 20 * a * sigma**2 + 40 * mu**2 * sigma**2 + 78 * sigma**4
    return second - 4 * sigma**2, 4 * mu**2 + 8 * sigma**2


# %% wrong: score by the logarithm of the width, by quadrature
# says: right at sigma = 1 only
def width_variances(mu, sigma, baseline):
    nodes, weights = exact.gauss_hermite(12, dim=1)
    e = nodes[:, 0]
    z = mu + sigma * e
    second = weights @ ((z**2 - baseline) * (e**2 - 1)) ** 2
    return second - 4 * sigma**2, 4 * mu**2 + 8 * sigma**2


# %% wrong: one number
# says: return two variances
def width_variances(mu, sigma, baseline):
    return 4 * mu**2 + 8 * sigma**2


# %% wrong: nothing
# says: return two variances
def width_variances(mu, sigma, baseline):
    pass
