# %% right: the series summed term by term
def draws_needed(sigma, lam, standard_error):
    return sigma**2 / standard_error**2 * (1 + 2 * sum(lam**t for t in range(1, 2000)))


# %% right: a tensor in float32
def draws_needed(sigma, lam, standard_error):
    lam = torch.tensor(lam, dtype=torch.float32)
    return (sigma / standard_error) ** 2 * (2 / (1 - lam) - 1)


# %% wrong: independent draws
# says: the autocorrelations are missing
def draws_needed(sigma, lam, standard_error):
    return (sigma / standard_error) ** 2


# %% wrong: a loop over no lags
# says: the autocorrelations are missing
def draws_needed(sigma, lam, standard_error):
    return (sigma / standard_error) ** 2 * (1 + 2 * sum(lam**t for t in range(1, 1)))


# %% wrong: each lag once
# says: each lag counts twice
def draws_needed(sigma, lam, standard_error):
    return (sigma / standard_error) ** 2 / (1 - lam)


# %% wrong: each lag once, in a loop
# says: each lag counts twice
def draws_needed(sigma, lam, standard_error):
    return (sigma / standard_error) ** 2 * (1 + sum(lam**t for t in range(1, 2000)))


# %% wrong: the series from zero
# says: the series starts at t = 1
def draws_needed(sigma, lam, standard_error):
    return (sigma / standard_error) ** 2 * (1 + 2 / (1 - lam))


# %% wrong: a loop from zero
# says: the series starts at t = 1
def draws_needed(sigma, lam, standard_error):
    return (sigma / standard_error) ** 2 * (1 + 2 * sum(lam**t for t in range(2000)))


# %% wrong: nothing squared
# says: errors add in squares
def draws_needed(sigma, lam, standard_error):
    return sigma / standard_error * (1 + lam) / (1 - lam)


# %% wrong: nothing squared, in a loop
# says: errors add in squares
def draws_needed(sigma, lam, standard_error):
    return (1 + 2 * sum(lam**t for t in range(1, 2000))) / (standard_error / sigma)
