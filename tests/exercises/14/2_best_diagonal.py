# %% right: by eigenvalues
def best_diagonal(precision):
    diagonal = torch.diag(precision)
    return diagonal.reciprocal(), (diagonal.log().sum() - torch.linalg.eigvalsh(precision).log().sum()) / 2


# %% right: by torch's divergence, in float32
def best_diagonal(precision):
    precision = precision.float()
    variance = 1 / precision.diagonal()
    zero = torch.zeros(len(variance))
    q = td.MultivariateNormal(zero, covariance_matrix=variance.diag())
    return variance, td.kl_divergence(q, td.MultivariateNormal(zero, precision_matrix=precision))


# %% wrong: one
# says: return two: the variances
def best_diagonal(precision):
    return 1 / precision.diagonal()


# %% wrong: the gap alone
# says: return two: the variances
def best_diagonal(precision):
    return 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision))


# %% wrong: marginals
# says: these are the posterior's marginal variances
def best_diagonal(precision):
    return torch.linalg.inv(precision).diagonal(), None


# %% wrong: marginals by torch
# says: these are the posterior's marginal variances
def best_diagonal(precision):
    return td.MultivariateNormal(torch.zeros(len(precision)).double(), precision_matrix=precision).variance, None


# %% wrong: deviations
# says: these are standard deviations
def best_diagonal(precision):
    return precision.diagonal() ** -0.5, None


# %% wrong: roots of the variances
# says: these are standard deviations
def best_diagonal(precision):
    return (1 / precision.diagonal()).sqrt(), None


# %% wrong: precisions
# says: these are precisions
def best_diagonal(precision):
    return precision.diagonal(), None


# %% wrong: precisions, copied
# says: these are precisions
def best_diagonal(precision):
    return torch.stack([precision[k, k] for k in range(len(precision))]), None


# %% wrong: no half
# says: a half is missing
def best_diagonal(precision):
    diagonal = precision.diagonal()
    return 1 / diagonal, diagonal.log().sum() - torch.logdet(precision)


# %% wrong: no half, by the product
# says: a half is missing
def best_diagonal(precision):
    diagonal = precision.diagonal()
    return 1 / diagonal, (diagonal.prod() / torch.linalg.det(precision)).log()


# %% wrong: the other divergence
# says: this is KL(p || q)
def best_diagonal(precision):
    covariance = torch.linalg.inv(precision)
    gap = 0.5 * (covariance.diagonal().log().sum() - torch.logdet(covariance))
    return 1 / precision.diagonal(), gap


# %% wrong: the other divergence, by torch
# says: this is KL(p || q)
def best_diagonal(precision):
    zero = torch.zeros(len(precision)).double()
    p = td.MultivariateNormal(zero, precision_matrix=precision)
    q = td.MultivariateNormal(zero, covariance_matrix=p.variance.diag())
    return 1 / precision.diagonal(), td.kl_divergence(p, q)
