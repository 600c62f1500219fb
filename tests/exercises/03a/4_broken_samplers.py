# %% right: Kolmogorov and Smirnov's test on draws of Gumbel's density
def accepts(transition):
    from scipy.stats import ks_2samp

    gumbel = td.Gumbel(torch.zeros((), dtype=torch.float64), 1.0)
    z = gumbel.sample((40_000, 1))
    for _ in range(4):
        z = transition(lambda z: (-z - (-z).exp()).squeeze(-1), z, 1.5)
    return bool(ks_2samp(z.flatten(), gumbel.sample((40_000,))).pvalue > 1e-6)


# %% right: probabilities of a lopsided mixture, in float32
def accepts(transition):
    normals = td.Normal(torch.tensor([-1.0, 1.5]), torch.tensor([0.5, 1.0]))
    mixture = td.MixtureSameFamily(td.Categorical(torch.tensor([0.7, 0.3])), normals)
    z = mixture.sample((100_000, 1))
    for _ in range(5):
        z = transition(lambda z: mixture.log_prob(z).squeeze(-1), z, 1.0)
    thresholds = torch.linspace(-1.8, 2.5, 9)
    chance = mixture.cdf(thresholds)
    error = (z <= thresholds).float().mean(0) - chance
    return bool((error.abs() < 5 * (chance * (1 - chance) / len(z)).sqrt()).all())


# %% wrong: starts at zero
# says: refuses a right sampler
def accepts(transition):
    z = torch.zeros(40_000, 1, dtype=torch.float64)
    for _ in range(3):
        z = transition(lambda z: (-z - (-z).exp()).squeeze(-1), z, 0.8)
    return bool((z.mean() - 0.5772).abs() < 5 * z.std() / 200)


# %% wrong: every sampler is broken
# says: refuses a right sampler
def accepts(transition):
    return False


# %% wrong: a tolerance below the noise
# says: refuses a right sampler
def accepts(transition):
    z = -(-torch.rand(40_000, 1, dtype=torch.float64).log()).log()
    z = transition(lambda z: (-z - (-z).exp()).squeeze(-1), z, 0.8)
    return bool((z.mean() - 0.5772).abs() < 1e-6)


# %% wrong: every sampler is right
# says: your test passes a sampler
def accepts(transition):
    return True


# %% wrong: the mean alone
# says: your test passes a sampler
def accepts(transition):
    z = -(-torch.rand(40_000, 1, dtype=torch.float64).log()).log()
    for _ in range(5):
        z = transition(lambda z: (-z - (-z).exp()).squeeze(-1), z, 1.5)
    return bool((z.mean() - 0.57722).abs() < 5 * z.std() / 200)


# %% wrong: mean and variance
# says: your test passes a sampler
def accepts(transition):
    z = -(-torch.rand(40_000, 1, dtype=torch.float64).log()).log()
    for _ in range(5):
        z = transition(lambda z: (-z - (-z).exp()).squeeze(-1), z, 1.5)
    mean = (z.mean() - 0.57722).abs() < 5 * z.std() / 200
    return bool(mean and (z.var() - math.pi**2 / 6).abs() < 5 * 3.4 / 200)


# %% wrong: a symmetric density
# says: your test passes a sampler
def accepts(transition):
    z = torch.randn(40_000, 1, dtype=torch.float64)
    for _ in range(5):
        z = transition(lambda z: -0.5 * z.square().squeeze(-1), z, 1.0)
    return bool(z.mean().abs() < 5 * z.std() / 200 and (z.var() - 1).abs() < 5 * 1.5 / 200)
