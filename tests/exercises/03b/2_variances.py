# %% right: as the variance that the other latents leave
def mean_field_variances(covariance):
    left = []
    for k in range(len(covariance)):
        rest = [j for j in range(len(covariance)) if j != k]
        across = covariance[rest, k]
        left.append(covariance[k, k] - across @ torch.linalg.solve(covariance[rest][:, rest], across))
    return torch.stack(left), torch.stack([covariance[k, k] for k in range(len(covariance))])


# %% right: by Cholesky, in float32
def mean_field_variances(covariance):
    root = torch.linalg.cholesky(covariance.float())
    return torch.cholesky_inverse(root).diagonal().reciprocal(), root.square().sum(1)


# %% wrong: no return
# says: two answers are wanted
def mean_field_variances(covariance):
    1 / torch.linalg.inv(covariance).diagonal(), covariance.diagonal()


# %% wrong: the first alone
# says: two answers are wanted
def mean_field_variances(covariance):
    return 1 / torch.linalg.inv(covariance).diagonal()


# %% wrong: exchanged
# says: which the other direction keeps
def mean_field_variances(covariance):
    return covariance.diagonal(), 1 / torch.linalg.inv(covariance).diagonal()


# %% wrong: both directions keep the variances
# says: which the other direction keeps
def mean_field_variances(covariance):
    return covariance.diagonal(), covariance.diagonal()


# %% wrong: the precision
# says: that is a precision
def mean_field_variances(covariance):
    return torch.linalg.inv(covariance).diagonal(), covariance.diagonal()


# %% wrong: the precision by Cholesky
# says: that is a precision
def mean_field_variances(covariance):
    return torch.cholesky_inverse(torch.linalg.cholesky(covariance)).diagonal(), covariance.diagonal()


# %% wrong: the root of the first
# says: standard deviations by KL(q || p)
def mean_field_variances(covariance):
    return torch.linalg.inv(covariance).diagonal().rsqrt(), covariance.diagonal()


# %% wrong: both as scales
# says: standard deviations by KL(q || p)
def mean_field_variances(covariance):
    return (1 / torch.linalg.inv(covariance).diagonal()).sqrt(), covariance.diagonal().sqrt()


# %% wrong: the root of the second
# says: KL(p || q) keeps the posterior's own variances
def mean_field_variances(covariance):
    return 1 / torch.linalg.inv(covariance).diagonal(), covariance.diagonal().sqrt()


# %% wrong: the length of the rows of Cholesky's root
# says: KL(p || q) keeps the posterior's own variances
def mean_field_variances(covariance):
    return 1 / torch.linalg.inv(covariance).diagonal(), torch.linalg.cholesky(covariance).norm(dim=1)
