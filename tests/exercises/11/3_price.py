# %% right: by the definition of the KL
def price_of_factorising(precision, size):
    blocks = torch.block_diag(precision[:size, :size], precision[size:, size:])
    zero = torch.zeros(len(precision), dtype=precision.dtype)
    q = td.MultivariateNormal(zero, precision_matrix=blocks)
    return td.kl_divergence(q, td.MultivariateNormal(zero, precision_matrix=precision))


# %% right: as the mutual information of the layers
def price_of_factorising(precision, size):
    covariance = precision.inverse()
    return 0.5 * (covariance[:size, :size].logdet() + covariance[size:, size:].logdet() - covariance.logdet())


# %% wrong: the sign
# says: this has the wrong sign
def price_of_factorising(precision, size):
    return 0.5 * (precision.logdet() - precision[:size, :size].logdet() - precision[size:, size:].logdet())


# %% wrong: without the half
# says: the half is missing
def price_of_factorising(precision, size):
    return precision[:size, :size].logdet() + precision[size:, size:].logdet() - precision.logdet()


# %% wrong: mean field over all latents
# says: this q is independent within each layer too
def price_of_factorising(precision, size):
    return 0.5 * (precision.diagonal().log().sum() - precision.logdet())


# %% wrong: the blocks alone
# says: subtract that of P
def price_of_factorising(precision, size):
    return 0.5 * (precision[:size, :size].logdet() + precision[size:, size:].logdet())


# %% wrong: the sign, by covariances
# says: this has the wrong sign
def price_of_factorising(precision, size):
    covariance = precision.inverse()
    return 0.5 * (covariance.logdet() - covariance[:size, :size].logdet() - covariance[size:, size:].logdet())


# %% wrong: twice the information
# says: the half is missing
def price_of_factorising(precision, size):
    covariance = precision.inverse()
    return covariance[:size, :size].logdet() + covariance[size:, size:].logdet() - covariance.logdet()


# %% wrong: every latent alone
# says: this q is independent within each layer too
def price_of_factorising(precision, size):
    scale = precision.diagonal().rsqrt()
    return -0.5 * (scale[:, None] * precision * scale).logdet()


# %% wrong: minus the entropy of q
# says: subtract that of P
def price_of_factorising(precision, size):
    return 0.5 * torch.block_diag(precision[:size, :size], precision[size:, size:]).logdet()
