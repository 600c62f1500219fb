# %% right: through precisions
def merge(loc_p, scale_p, loc_e, scale_e):
    precision = scale_p.pow(-2) + scale_e.pow(-2)
    weight = scale_p.pow(-2) / precision
    return weight * loc_p + (1 - weight) * loc_e, precision.pow(-0.5)


# %% right: as a gain, float32
def merge(loc_p, scale_p, loc_e, scale_e):
    loc_p, scale_p, loc_e, scale_e = (part.float() for part in (loc_p, scale_p, loc_e, scale_e))
    gain = scale_p**2 / (scale_p**2 + scale_e**2)
    return loc_p + gain * (loc_e - loc_p), scale_p * (1 - gain).sqrt()


# %% wrong: the average
# says: this is the plain average of the means
def merge(loc_p, scale_p, loc_e, scale_e):
    return (loc_p + loc_e) / 2, (scale_p**-2 + scale_e**-2).rsqrt()


# %% wrong: weights by scale
# says: the weights are the inverse scales
def merge(loc_p, scale_p, loc_e, scale_e):
    return (loc_p / scale_p + loc_e / scale_e) / (1 / scale_p + 1 / scale_e), None


# %% wrong: weights exchanged
# says: each mean has the other one's weight
def merge(loc_p, scale_p, loc_e, scale_e):
    total = scale_p**2 + scale_e**2
    return (loc_p * scale_p**2 + loc_e * scale_e**2) / total, (scale_p**-2 + scale_e**-2).rsqrt()


# %% wrong: not normalised
# says: the mean lacks its normaliser
def merge(loc_p, scale_p, loc_e, scale_e):
    return loc_p / scale_p**2 + loc_e / scale_e**2, None


# %% wrong: the variance
# says: this is the variance: take its root
def merge(loc_p, scale_p, loc_e, scale_e):
    total = scale_p**-2 + scale_e**-2
    return (loc_p / scale_p**2 + loc_e / scale_e**2) / total, 1 / total


# %% wrong: the precision
# says: this is the precision
def merge(loc_p, scale_p, loc_e, scale_e):
    total = scale_p**-2 + scale_e**-2
    return (loc_p / scale_p**2 + loc_e / scale_e**2) / total, total


# %% wrong: a sum of variables
# says: variances add for a sum of variables
def merge(loc_p, scale_p, loc_e, scale_e):
    total = scale_p**-2 + scale_e**-2
    return (loc_p / scale_p**2 + loc_e / scale_e**2) / total, (scale_p**2 + scale_e**2).sqrt()


# %% wrong: the mean alone
# says: return two tensors
def merge(loc_p, scale_p, loc_e, scale_e):
    return (loc_p + loc_e) / 2


# %% wrong: the average, by torch.lerp
# says: this is the plain average of the means
def merge(loc_p, scale_p, loc_e, scale_e):
    return torch.lerp(loc_p, loc_e, 0.5), None


# %% wrong: a gain of scales
# says: the weights are the inverse scales
def merge(loc_p, scale_p, loc_e, scale_e):
    return loc_p + scale_p / (scale_p + scale_e) * (loc_e - loc_p), None


# %% wrong: the wrong gain
# says: each mean has the other one's weight
def merge(loc_p, scale_p, loc_e, scale_e):
    gain = scale_e**2 / (scale_p**2 + scale_e**2)
    return loc_p + gain * (loc_e - loc_p), None


# %% wrong: natural parameters
# says: the mean lacks its normaliser
def merge(loc_p, scale_p, loc_e, scale_e):
    return loc_p * scale_p**-2 + loc_e * scale_e**-2, (scale_p**-2 + scale_e**-2).rsqrt()


# %% wrong: the variance, as a gain
# says: this is the variance: take its root
def merge(loc_p, scale_p, loc_e, scale_e):
    gain = scale_p**2 / (scale_p**2 + scale_e**2)
    return loc_p + gain * (loc_e - loc_p), scale_p**2 * (1 - gain)


# %% wrong: the precision, as a gain
# says: this is the precision
def merge(loc_p, scale_p, loc_e, scale_e):
    gain = scale_p**2 / (scale_p**2 + scale_e**2)
    return loc_p + gain * (loc_e - loc_p), 1 / (scale_p**2 * (1 - gain))


# %% wrong: a hypotenuse
# says: variances add for a sum of variables
def merge(loc_p, scale_p, loc_e, scale_e):
    gain = scale_p**2 / (scale_p**2 + scale_e**2)
    return loc_p + gain * (loc_e - loc_p), torch.hypot(scale_p, scale_e)


# %% wrong: nothing returned
# says: return two tensors
def merge(loc_p, scale_p, loc_e, scale_e):
    pass
