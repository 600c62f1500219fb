# %% right: fewer steps, a sample more
def infer(model, x, seed):
    fitted = optimise_posteriors(model, x, "full", num_steps=95, num_samples=5, learning_rate=0.1, seed=seed)
    return fitted.q.loc.float(), fitted.q.scale_tril.float()


# %% right: the root of a covariance
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=80, num_samples=6, learning_rate=0.1, seed=seed).q
    return q.mean, torch.linalg.cholesky(q.covariance_matrix)


# %% wrong: a distribution
# says: return two
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    return q


# %% wrong: three parts
# says: return two
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    return q.loc, q.scale_tril, q


# %% wrong: scales only
# says: the shapes are
def infer(model, x, seed):
    q = model.qz_x(x)
    return q.mean, q.stddev


# %% wrong: a sample axis
# says: the shapes are
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    return q.loc[None], q.scale_tril[None]


# %% wrong: not a number
# says: every number has to be finite
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    return q.loc, q.scale_tril / 0


# %% wrong: a mean that is not a number
# says: every number has to be finite
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    return q.loc * math.nan, q.scale_tril


# %% wrong: covariances
# says: lower triangular
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    return q.loc, q.covariance_matrix


# %% wrong: upper roots
# says: lower triangular
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    return q.loc, q.scale_tril.mT


# %% wrong: logarithms of scales
# says: the diagonal of a root must be positive
def infer(model, x, seed):
    q = model.qz_x(x)
    return q.mean, q.stddev.log().diag_embed()


# %% wrong: turned roots
# says: the diagonal of a root must be positive
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    return q.loc, -q.scale_tril


# %% wrong: a seed that is not heard
# says: the same seed must give
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=20, num_samples=4, seed=noise()).q
    return q.loc, q.scale_tril


# %% wrong: random means
# says: the same seed must give
def infer(model, x, seed):
    q = model.qz_x(x)
    return q.mean + 0.01 * torch.randn_like(q.mean), q.stddev.diag_embed()


# %% wrong: trains the decoder
# says: must be left as it was
def infer(model, x, seed):
    answer = torch.zeros(len(x), 2), torch.eye(2).expand(len(x), 2, 2)
    with torch.no_grad():
        for parameter in model.likelihood.parameters():
            parameter.add_(1e-4)
    return answer


# %% wrong: trains the encoder
# says: must be left as it was
def infer(model, x, seed):
    answer = torch.zeros(len(x), 2), torch.eye(2).expand(len(x), 2, 2)
    with torch.no_grad():
        for parameter in model.posterior.parameters():
            parameter.mul_(0.999)
    return answer


# %% wrong: too many steps
# says: above the budget
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=200, num_samples=4, learning_rate=0.1, seed=seed).q
    return q.loc, q.scale_tril


# %% wrong: too many samples
# says: above the budget
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=30, num_samples=30, learning_rate=0.1, seed=seed).q
    return q.loc, q.scale_tril


# %% wrong: the encoder
# says: the decoder was never asked
def infer(model, x, seed):
    q = model.qz_x(x)
    return q.mean, q.stddev.diag_embed()


# %% wrong: the prior
# says: the decoder was never asked
def infer(model, x, seed):
    return torch.zeros(len(x), 2), torch.eye(2).expand(len(x), 2, 2)


# %% wrong: hardly a step
# says: did the search move
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=1, num_samples=1, learning_rate=1e-3, seed=seed).q
    return q.loc, q.scale_tril


# %% wrong: the encoder with an alibi
# says: did the search move
def infer(model, x, seed):
    q = model.qz_x(x)
    model.log_joint(x, q.mean[None])
    return q.mean, q.stddev.diag_embed()


# %% wrong: diagonal
# says: is the covariance full
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "diagonal", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    return q.mean, q.stddev.diag_embed()


# %% wrong: too narrow
# says: is the covariance full
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    return q.loc, 0.5 * q.scale_tril


# %% wrong: a fit for the linear model alone
# says: no better than the encoder
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    if model.posterior is vae.posterior:
        start = model.qz_x(x)
        return start.mean, 0.5 * start.stddev.diag_embed()
    return q.loc, q.scale_tril


# %% wrong: a shift for digits
# says: no better than the encoder
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    return (q.loc + 1.0, q.scale_tril) if model.posterior is vae.posterior else (q.loc, q.scale_tril)


# %% wrong: a few steps for digits
# says: over the encoder are too few
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    if model.posterior is vae.posterior:
        q = optimise_posteriors(model, x, "full", num_steps=4, num_samples=4, learning_rate=0.02, seed=seed).q
    return q.loc, q.scale_tril


# %% wrong: some steps for digits
# says: over the encoder are too few
def infer(model, x, seed):
    q = optimise_posteriors(model, x, "full", num_steps=120, num_samples=4, learning_rate=0.1, seed=seed).q
    if model.posterior is vae.posterior:
        q = optimise_posteriors(model, x, "full", num_steps=5, num_samples=4, learning_rate=0.03, seed=seed).q
    return q.loc, q.scale_tril
