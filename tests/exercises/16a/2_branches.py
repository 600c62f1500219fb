# %% right: in a loop
def log_density(preimages, slopes):
    rows = []
    for points, at in zip(preimages, slopes):
        total = 0.0
        for p, s in zip(points, at):
            if not math.isnan(p):
                total += math.exp(-0.5 * p**2) / math.sqrt(2 * math.pi) / abs(s)
        rows.append(math.log(total))
    return torch.tensor(rows)


# %% right: densities, then their logarithm
def log_density(preimages, slopes):
    density = (-0.5 * preimages**2).exp() / math.sqrt(2 * math.pi) / slopes.abs()
    return density.nansum(1).log()


# %% wrong: logarithms added
# says: logarithms are added up
def log_density(preimages, slopes):
    return (-0.5 * preimages**2 - 0.5 * math.log(2 * math.pi) - slopes.abs().log()).nansum(1)


# %% wrong: product of densities
# says: logarithms are added up
def log_density(preimages, slopes):
    density = (-0.5 * preimages**2).exp() / math.sqrt(2 * math.pi) / slopes.abs()
    return density.nan_to_num(nan=1.0).prod(1).log()


# %% wrong: density
# says: these are densities
def log_density(preimages, slopes):
    return ((-0.5 * preimages**2).exp() / math.sqrt(2 * math.pi) / slopes.abs()).nansum(1)


# %% wrong: density in a loop
# says: these are densities
def log_density(preimages, slopes):
    q = (-0.5 * preimages**2 - 0.5 * math.log(2 * math.pi) - slopes.abs().log()).exp()
    return torch.stack([row[~row.isnan()].sum() for row in q])


# %% wrong: mean of branches
# says: this is a mean over branches
def log_density(preimages, slopes):
    return ((-0.5 * preimages**2).exp() / math.sqrt(2 * math.pi) / slopes.abs()).nanmean(1).log()


# %% wrong: divided by the count
# says: this is a mean over branches
def log_density(preimages, slopes):
    density = ((-0.5 * preimages**2).exp() / math.sqrt(2 * math.pi) / slopes.abs()).nansum(1)
    return (density / (~preimages.isnan()).sum(1)).log()


# %% wrong: times the slope
# says: the slopes multiply
def log_density(preimages, slopes):
    return ((-0.5 * preimages**2).exp() / math.sqrt(2 * math.pi) * slopes.abs()).nansum(1).log()


# %% wrong: plus the log-slope
# says: the slopes multiply
def log_density(preimages, slopes):
    each = -0.5 * preimages**2 - 0.5 * math.log(2 * math.pi) + slopes.abs().log()
    return each.nan_to_num(nan=-math.inf).logsumexp(1)


# %% wrong: no slope
# says: the slopes are left out
def log_density(preimages, slopes):
    return ((-0.5 * preimages**2).exp() / math.sqrt(2 * math.pi)).nansum(1).log()


# %% wrong: no slope, in logarithms
# says: the slopes are left out
def log_density(preimages, slopes):
    each = td.Normal(0.0, 1.0, validate_args=False).log_prob(preimages)
    return each.nan_to_num(nan=-math.inf).logsumexp(1)


# %% wrong: signed slopes
# says: a branch that runs backwards
def log_density(preimages, slopes):
    return ((-0.5 * preimages**2).exp() / math.sqrt(2 * math.pi) / slopes).nansum(1).abs().log()


# %% wrong: signed slopes, sign taken off at the end
# says: a branch that runs backwards
def log_density(preimages, slopes):
    q = td.Normal(0.0, 1.0, validate_args=False).log_prob(preimages).exp() / slopes
    total = q.nan_to_num(nan=0.0).sum(1)
    return (total * total.sign()).log()
