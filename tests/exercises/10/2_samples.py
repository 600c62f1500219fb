# %% right: through the logarithm
def samples_needed(f, num_latents, b):
    if 2 * f * f <= 1:
        return float("inf")
    return math.expm1(num_latents * (2 * math.log(f) - 0.5 * math.log(2 * f * f - 1))) / (2 * b)


# %% right: a product over the dimensions
def samples_needed(f, num_latents, b):
    moment = 1.0
    for _ in range(num_latents):
        moment *= f**2 / (2 * f**2 - 1) ** 0.5 if f > 0.5**0.5 else math.inf
    return (moment - 1) / b / 2


# %% wrong: variances multiplied
# says: variances do not multiply
def samples_needed(f, num_latents, b):
    return (f**2 / math.sqrt(2 * f**2 - 1) - 1) ** num_latents / (2 * b)


# %% wrong: variances multiplied, in a loop
# says: variances do not multiply
def samples_needed(f, num_latents, b):
    V = 1.0
    for _ in range(num_latents):
        V = V * (f * f / (2 * f * f - 1) ** 0.5 - 1)
    return V / 2 / b


# %% wrong: variances added
# says: variances do not add
def samples_needed(f, num_latents, b):
    return num_latents * (f**2 / math.sqrt(2 * f**2 - 1) - 1) / (2 * b)


# %% wrong: variances added up
# says: variances do not add
def samples_needed(f, num_latents, b):
    return sum(f**2 / (2 * f**2 - 1) ** 0.5 - 1 for _ in range(num_latents)) / 2 / b


# %% wrong: the half is lost
# says: this is V / b
def samples_needed(f, num_latents, b):
    return ((f**2 / math.sqrt(2 * f**2 - 1)) ** num_latents - 1) / b


# %% wrong: the half is lost, through the logarithm
# says: this is V / b
def samples_needed(f, num_latents, b):
    return math.expm1(num_latents * (2 * math.log(f) - 0.5 * math.log(2 * f * f - 1))) / b


# %% wrong: the second moment
# says: subtract one
def samples_needed(f, num_latents, b):
    return (f**2 / math.sqrt(2 * f**2 - 1)) ** num_latents / (2 * b)


# %% wrong: the second moment, by exp
# says: subtract one
def samples_needed(f, num_latents, b):
    return math.exp(num_latents * (2 * math.log(f) - 0.5 * math.log(2 * f * f - 1))) / b / 2


# %% wrong: the absolute value of what should be positive
# says: V is infinite, whatever the formula
def samples_needed(f, num_latents, b):
    return ((f**2 / math.sqrt(abs(2 * f**2 - 1))) ** num_latents - 1) / (2 * b)


# %% wrong: nan for infinity
# says: V is infinite, whatever the formula
def samples_needed(f, num_latents, b):
    if f**2 <= 0.5:
        return math.nan
    return ((f**2 / math.sqrt(2 * f**2 - 1)) ** num_latents - 1) / (2 * b)
