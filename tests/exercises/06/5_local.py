# %% right: through where, in one pass over the latents
@torch.no_grad()
def local_expectation(model, x, num_samples):
    q = model.posterior(x)
    pi, z = q.base_dist.probs, q.sample((num_samples,))
    eye = torch.eye(z.shape[-1], dtype=torch.bool)

    def log_w(value):
        forced = torch.where(eye[:, None, None], torch.full_like(z, value), z)  # [L, S, B, L]
        return (model.log_joint(x, forced) - q.log_prob(forced)).movedim(0, -1)

    return pi * (1 - pi) * (log_w(1.0) - log_w(0.0))


# %% right: single precision
@torch.no_grad()
def local_expectation(model, x, num_samples):
    q = model.posterior(x)
    pi, z = q.base_dist.probs, q.sample((num_samples,))
    parts = []
    for k in range(z.shape[-1]):
        log_w = []
        for value in (0, 1):
            state = z.clone()
            state[..., k] = value
            log_w.append(model.log_joint(x, state) - q.log_prob(state))
        parts.append((pi * (1 - pi))[:, k] * (log_w[1] - log_w[0]))
    return torch.stack(parts, -1).float()


# %% wrong: nothing is returned
# says: one gradient per sample
def local_expectation(model, x, num_samples):
    model.posterior(x).sample((num_samples,))


# %% wrong: the mean over the samples
# says: one gradient per sample
@torch.no_grad()
def local_expectation(model, x, num_samples):
    q = model.posterior(x)
    pi, z = q.base_dist.probs, q.sample((num_samples,))
    gradient = torch.empty_like(z)
    for k in range(z.shape[-1]):
        on, off = z.clone(), z.clone()
        on[..., k], off[..., k] = 1, 0
        gradient[..., k] = (pi * (1 - pi))[:, k] * (
            model.log_joint(x, on) - q.log_prob(on) - model.log_joint(x, off) + q.log_prob(off)
        )
    return gradient.mean(0)


# %% wrong: without pi (1 - pi)
# says: the factor pi (1 - pi) is missing
@torch.no_grad()
def local_expectation(model, x, num_samples):
    q = model.posterior(x)
    z = q.sample((num_samples,))
    gradient = torch.empty_like(z)
    for k in range(z.shape[-1]):
        on, off = z.clone(), z.clone()
        on[..., k], off[..., k] = 1, 0
        log_w = [model.log_joint(x, state) - q.log_prob(state) for state in (on, off)]
        gradient[..., k] = log_w[0] - log_w[1]
    return gradient


# %% wrong: the derivative by the probabilities
# says: the factor pi (1 - pi) is missing
@torch.no_grad()
def local_expectation(model, x, num_samples):
    q = model.posterior(x)
    z = q.sample((num_samples,))
    columns = []
    for k in range(z.shape[-1]):
        difference = 0
        for value, sign in ((1.0, 1), (0.0, -1)):
            state = z.clone()
            state[..., k] = value
            difference = difference + sign * (model.log_joint(x, state) - q.log_prob(state))
        columns.append(difference)
    return torch.stack(columns, -1)


# %% wrong: the joint without log q
# says: biased
@torch.no_grad()
def local_expectation(model, x, num_samples):
    q = model.posterior(x)
    pi, z = q.base_dist.probs, q.sample((num_samples,))
    gradient = torch.empty_like(z)
    for k in range(z.shape[-1]):
        on, off = z.clone(), z.clone()
        on[..., k], off[..., k] = 1, 0
        gradient[..., k] = (pi * (1 - pi))[:, k] * (model.log_joint(x, on) - model.log_joint(x, off))
    return gradient


# %% wrong: the sign exchanged
# says: biased
@torch.no_grad()
def local_expectation(model, x, num_samples):
    q = model.posterior(x)
    pi, z = q.base_dist.probs, q.sample((num_samples,))
    gradient = torch.empty_like(z)
    for k in range(z.shape[-1]):
        on, off = z.clone(), z.clone()
        on[..., k], off[..., k] = 1, 0
        log_w = [model.log_joint(x, state) - q.log_prob(state) for state in (on, off)]
        gradient[..., k] = (pi * (1 - pi))[:, k] * (log_w[1] - log_w[0])
    return gradient


# %% wrong: the plain estimator
# says: too much variance
@torch.no_grad()
def local_expectation(model, x, num_samples):
    q = model.posterior(x)
    z = q.sample((num_samples,))
    log_w = model.log_joint(x, z) - q.log_prob(z)
    return log_w[..., None] * (z - q.base_dist.probs)


# %% wrong: the plain estimator with a constant baseline
# says: too much variance
@torch.no_grad()
def local_expectation(model, x, num_samples):
    q = model.posterior(x)
    z = q.sample((num_samples,))
    log_w = model.log_joint(x, z) - q.log_prob(z)
    return (log_w + 5.0)[..., None] * (z - q.base_dist.probs)
