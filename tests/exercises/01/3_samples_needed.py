# %% right: in logarithms
def samples_needed(num_latents, scale=1.0, relative_error=0.1):
    log_factor = math.log1p(scale**2) - math.log(scale) - 0.5 * math.log(2 + scale**2)
    return math.ceil(math.expm1(num_latents * log_factor) / relative_error**2)


# %% right: moments of Gaussians
def samples_needed(num_latents, scale=1.0, relative_error=0.1):
    first = 1 / math.sqrt(2 * math.pi * (1 + scale**2))
    second = 1 / (2 * math.pi * scale) / math.sqrt(scale**2 + 2)
    return math.ceil(
        (second**num_latents - first ** (2 * num_latents)) / first ** (2 * num_latents) / relative_error**2
    )


# %% wrong: the second moment
# says: is not yet a variance
def samples_needed(num_latents, scale=1.0, relative_error=0.1):
    factor = (1 + scale**2) / (scale * math.sqrt(2 + scale**2))
    return math.ceil(factor**num_latents / relative_error**2)


# %% wrong: the second moment, in logarithms
# says: is not yet a variance
def samples_needed(num_latents, scale=1.0, relative_error=0.1):
    log_factor = math.log1p(scale**2) - math.log(scale) - 0.5 * math.log(2 + scale**2)
    return math.ceil(math.exp(num_latents * log_factor) / relative_error**2)


# %% wrong: the error not squared
# says: asks for a relative variance
def samples_needed(num_latents, scale=1.0, relative_error=0.1):
    factor = (1 + scale**2) / (scale * math.sqrt(2 + scale**2))
    return math.ceil((factor**num_latents - 1) / relative_error)


# %% wrong: the error not squared, in logarithms
# says: asks for a relative variance
def samples_needed(num_latents, scale=1.0, relative_error=0.1):
    log_factor = math.log1p(scale**2) - math.log(scale) - 0.5 * math.log(2 + scale**2)
    return math.ceil(math.expm1(num_latents * log_factor) / relative_error)


# %% wrong: variances added
# says: dimensions do not add up
def samples_needed(num_latents, scale=1.0, relative_error=0.1):
    factor = (1 + scale**2) / (scale * math.sqrt(2 + scale**2))
    return math.ceil(num_latents * (factor - 1) / relative_error**2)


# %% wrong: variances added one by one
# says: dimensions do not add up
def samples_needed(num_latents, scale=1.0, relative_error=0.1):
    factor = (1 + scale**2) / (scale * math.sqrt(2 + scale**2))
    return math.ceil(sum(factor - 1 for _ in range(num_latents)) / relative_error**2)


# %% wrong: sigma of one
# says: this is for scale = 1
def samples_needed(num_latents, scale=1.0, relative_error=0.1):
    return math.ceil(((4 / 3) ** (num_latents / 2) - 1) / relative_error**2)


# %% wrong: the scale forgotten
# says: this is for scale = 1
def samples_needed(num_latents, scale=1.0, relative_error=0.1):
    return math.ceil(((2 / math.sqrt(3)) ** num_latents - 1) / relative_error**2)
