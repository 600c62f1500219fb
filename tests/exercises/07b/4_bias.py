# %% right: by autograd, in float32
def straight_through_bias(coefficients, pi):
    c = coefficients.float()
    ends = torch.tensor([0.0, 1.0], requires_grad=True)
    values = sum(c[k] * ends**k for k in range(len(c)))
    (slopes,) = torch.autograd.grad(values.sum(), ends)
    return (slopes @ torch.tensor([1 - pi, pi]) - (values[1] - values[0])).detach()


# %% right: the excess of the slope at one, in plain numbers
def straight_through_bias(coefficients, pi):
    c = coefficients.tolist()
    slope_at_1 = sum(k * value for k, value in enumerate(c))
    return c[1] + pi * (slope_at_1 - c[1]) - sum(c[1:])


# %% wrong: the exact derivative is not subtracted
# says: that is the mean of the estimate
def straight_through_bias(coefficients, pi):
    c = coefficients
    return (1 - pi) * c[1] + pi * (torch.arange(len(c)) * c).sum()


# %% wrong: the mean of many draws of the estimate would be this
# says: that is the mean of the estimate
def straight_through_bias(coefficients, pi):
    c = coefficients.tolist()
    return c[1] + pi * sum(k * value for k, value in enumerate(c) if k > 1)


# %% wrong: the slope at the mean
# says: the derivative is taken where the sample is
def straight_through_bias(coefficients, pi):
    c = coefficients.tolist()
    return sum(k * value * pi ** (k - 1) for k, value in enumerate(c) if k) - sum(c[1:])


# %% wrong: the slope at the mean, by autograd
# says: the derivative is taken where the sample is
def straight_through_bias(coefficients, pi):
    mean = torch.tensor(pi, dtype=coefficients.dtype, requires_grad=True)
    (coefficients * mean ** torch.arange(len(coefficients))).sum().backward()
    return mean.grad - coefficients[1:].sum()


# %% wrong: the ends exchanged
# says: the probabilities of the two ends are exchanged
def straight_through_bias(coefficients, pi):
    c = coefficients
    return pi * c[1] + (1 - pi) * (torch.arange(len(c)) * c).sum() - c[1:].sum()


# %% wrong: b is one with probability 1 - pi
# says: the probabilities of the two ends are exchanged
def straight_through_bias(coefficients, pi):
    c, share = coefficients.tolist(), 1 - pi
    return c[1] + share * sum(k * value for k, value in enumerate(c) if k > 1) - sum(c[1:])


# %% wrong: exact less estimate
# says: has the right size and the wrong sign
def straight_through_bias(coefficients, pi):
    c = coefficients
    return c[1:].sum() - (1 - pi) * c[1] - pi * (torch.arange(len(c)) * c).sum()
