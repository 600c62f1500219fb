# %% right: from the inverse, in float32
def mean_field(rho):
    covariance = torch.tensor([[1.0, rho], [rho, 1.0]])
    precision = torch.linalg.inv(covariance)
    return 1 / precision[0, 0], covariance[0, 0], -covariance.logdet() / 2


# %% right: from the eigenvalues 1 + rho and 1 - rho
def mean_field(rho):
    harmonic_mean = 2 / (1 / (1 + rho) + 1 / (1 - rho))
    return harmonic_mean, ((1 + rho) + (1 - rho)) / 2, -(math.log1p(rho) + math.log1p(-rho)) / 2


# %% wrong: only one number
# says: return three numbers
def mean_field(rho):
    return 1 - rho**2


# %% wrong: without the divergence
# says: return three numbers
def mean_field(rho):
    return 1 - rho**2, 1.0


# %% wrong: exchanged
# says: the two variances are exchanged
def mean_field(rho):
    return 1.0, 1 - rho**2, -0.5 * math.log(1 - rho**2)


# %% wrong: both marginal
# says: the two variances are exchanged
def mean_field(rho):
    return 1.0, 1.0, -0.5 * math.log(1 - rho**2)


# %% wrong: both narrow
# says: the two variances are exchanged
def mean_field(rho):
    return 1 - rho**2, 1 - rho**2, -0.5 * math.log(1 - rho**2)


# %% wrong: a standard deviation
# says: give the variance, not the standard deviation
def mean_field(rho):
    return math.sqrt(1 - rho**2), 1.0, -0.5 * math.log(1 - rho**2)


# %% wrong: the root of the determinant
# says: give the variance, not the standard deviation
def mean_field(rho):
    root = torch.tensor([[1.0, rho], [rho, 1.0]]).double().det().sqrt()
    return root, 1.0, -root.log()


# %% wrong: twice the divergence
# says: twice too large
def mean_field(rho):
    return 1 - rho**2, 1.0, -math.log(1 - rho**2)


# %% wrong: a sum over the two coordinates
# says: twice too large
def mean_field(rho):
    return 1 - rho**2, 1.0, sum(-0.5 * math.log(1 - rho**2) for _ in range(2))
