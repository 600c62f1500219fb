# %% right: the quadratic equation by its roots
def best_theta(second_moment, sigma, num_causes):
    m, s2 = num_causes, second_moment
    v = max(np.roots([m, -s2, -(m - 1) * s2 * sigma**2]).real)
    return torch.tensor(max(v - sigma**2, 0) / m).sqrt()


# %% right: in float32
def best_theta(second_moment, sigma, num_causes):
    s2, noise = torch.tensor(float(second_moment)), torch.tensor(float(sigma)) ** 2
    m = num_causes
    v = (s2 + (s2**2 + 4 * m * (m - 1) * s2 * noise).sqrt()) / (2 * m)
    return ((v - noise).clamp(min=0) / m).sqrt()


# %% wrong: maximum likelihood
# says: this is maximum likelihood
def best_theta(second_moment, sigma, num_causes):
    return math.sqrt(max(second_moment - sigma**2, 0) / num_causes)


# %% wrong: the variance matched by search
# says: this is maximum likelihood
def best_theta(second_moment, sigma, num_causes):
    grid = torch.linspace(0, 3, 300_001, dtype=torch.float64)
    return grid[(num_causes * grid**2 + sigma**2 - second_moment).abs().argmin()]


# %% wrong: the gain of the sum
# says: this is theta times the root of M
def best_theta(second_moment, sigma, num_causes):
    m = num_causes
    v = second_moment * (1 + math.sqrt(1 + 4 * m * (m - 1) * sigma**2 / second_moment)) / (2 * m)
    return math.sqrt(max(v - sigma**2, 0.0))


# %% wrong: v taken for theta^2 + sigma^2
# says: this is theta times the root of M
def best_theta(second_moment, sigma, num_causes):
    m = num_causes
    v = (second_moment + math.sqrt(second_moment**2 + 4 * m * (m - 1) * second_moment * sigma**2)) / (2 * m)
    return max(v - sigma**2, 0.0) ** 0.5


# %% wrong: no floor under the root
# says: where v is below sigma^2 the best theta is 0
def best_theta(second_moment, sigma, num_causes):
    m = num_causes
    v = second_moment * (1 + math.sqrt(1 + 4 * m * (m - 1) * sigma**2 / second_moment)) / (2 * m)
    return math.sqrt((v - sigma**2) / m)


# %% wrong: no floor under the root, in tensors
# says: where v is below sigma^2 the best theta is 0
def best_theta(second_moment, sigma, num_causes):
    m, s2 = num_causes, torch.tensor(second_moment, dtype=torch.float64)
    v = s2 * (1 + (1 + 4 * m * (m - 1) * sigma**2 / s2).sqrt()) / (2 * m)
    return ((v - sigma**2) / m).sqrt()
