# %% right: by autograd, in float32
def heard(mu, top, m, rate, num_steps):
    def bound(mu):
        return -0.5 * m * (top - mu) ** 2

    answers = []
    for create in (True, False, None):
        start = at = mu.float().requires_grad_()
        for _ in range(0 if create is None else num_steps):
            slope = m * (top - at)
            at = at + rate * (slope if create else slope.detach())
        answers.append(torch.autograd.grad(bound(at).sum(), start)[0])
    return tuple(answers)


# %% wrong: one
# says: return three
def heard(mu, top, m, rate, num_steps):
    return m * (top - mu) * (1 - rate * m) ** (2 * num_steps)


# %% wrong: stacked
# says: return three
def heard(mu, top, m, rate, num_steps):
    own = m * (top - mu)
    shrink = (1 - rate * m) ** num_steps
    return torch.stack([own * shrink**2, own * shrink, own])


# %% wrong: the slope at the end
# says: the factor d mu_T / d mu_0 is missing
def heard(mu, top, m, rate, num_steps):
    own = m * (top - mu)
    shrink = (1 - rate * m) ** num_steps
    return own * shrink, own * shrink, own


# %% wrong: the slope at the end, step by step
# says: the factor d mu_T / d mu_0 is missing
def heard(mu, top, m, rate, num_steps):
    at = mu
    for _ in range(num_steps):
        at = at + rate * m * (top - at)
    return m * (top - at), m * (top - at), m * (top - mu)


# %% wrong: a loss
# says: the sign is that of a loss
def heard(mu, top, m, rate, num_steps):
    own = m * (mu - top)
    shrink = (1 - rate * m) ** num_steps
    return own * shrink**2, own * shrink, own


# %% wrong: a loss, in another order
# says: the sign is that of a loss
def heard(mu, top, m, rate, num_steps):
    return (mu - top) * m * (1 - rate * m) ** (2 * num_steps), None, None


# %% wrong: two factors with constant slopes
# says: with constant slopes mu_T moves as mu_0 does
def heard(mu, top, m, rate, num_steps):
    own = m * (top - mu)
    shrink = (1 - rate * m) ** num_steps
    return own * shrink**2, own * shrink**2, own


# %% wrong: the same twice
# says: with constant slopes mu_T moves as mu_0 does
def heard(mu, top, m, rate, num_steps):
    through = m * (top - mu) * (1 - rate * m) ** (2 * num_steps)
    return through, through, through


# %% wrong: the encoder's own bound at the end
# says: its own bound knows nothing of the steps
def heard(mu, top, m, rate, num_steps):
    own = m * (top - mu)
    shrink = (1 - rate * m) ** num_steps
    return own * shrink**2, own * shrink, own * shrink


# %% wrong: the encoder's own bound at the end, step by step
# says: its own bound knows nothing of the steps
def heard(mu, top, m, rate, num_steps):
    at = mu
    for _ in range(num_steps):
        at = at + rate * m * (top - at)
    end = m * (top - at)
    return end * (1 - rate * m) ** num_steps, end, end
