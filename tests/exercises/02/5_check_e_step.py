# %% right: against Bayes' rule, written out
def check_e_step(e_step):
    means = torch.tensor([[0.2, 0.7, 0.5], [0.6, 0.3, 0.4]], dtype=torch.float64)
    mixture = BernoulliMixture(torch.tensor([0.8, 0.2], dtype=torch.float64), means)
    images = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    joint = mixture.weights * torch.where(images[:, None] == 1, means, 1 - means).prod(-1)
    assert (e_step(mixture, images) - joint / joint.sum(1, keepdim=True)).abs().max() < 1e-9


# %% right: by the slope of the bound, in float32
def check_e_step(e_step):
    generator = torch.Generator().manual_seed(1)
    means = 0.3 + 0.4 * torch.rand(3, 6, generator=generator)
    mixture = BernoulliMixture(torch.tensor([0.7, 0.2, 0.1]), means)
    images = (torch.rand(20, 6, generator=generator) < 0.5).float()
    guesses = e_step(mixture, images)
    slope = mixture.posterior.log_joint(images) - guesses.log()  # level over the states, at the best q
    if not torch.allclose(slope, mixture.log_likelihood(images)[:, None].expand(-1, 3), rtol=0, atol=1e-4):
        raise AssertionError("the bound could still be raised")


# %% wrong: compared with rounded numbers
# says: your test refuses the exact E step
def check_e_step(e_step):
    mixture = BernoulliMixture.from_data(x[:100], 5, seed=3, probability_floor=0.01)
    guesses = e_step(mixture, x[:100])
    assert ((guesses == 0) | (guesses == 1)).all()


# %% wrong: a bound that must rise by a nat at each step
# says: your test refuses the exact E step
def check_e_step(e_step):
    mixture = BernoulliMixture.from_data(x[:100], 5, seed=3, probability_floor=0.01)
    before = -math.inf
    for _ in range(100):
        q = td.OneHotCategorical(probs=e_step(mixture, x[:100]))
        now = mixture.bound(x[:100], q).sum()
        assert now > before + 1
        before = now
        mixture.m_step(x[:100], q)


# %% wrong: looks at nothing
# says: guesses that sum to one over images
def check_e_step(e_step):
    mixture = BernoulliMixture.from_data(x[:100], 5, seed=3, probability_floor=0.01)
    e_step(mixture, x[:100])


# %% wrong: shapes and signs only
# says: guesses that sum to one over images
def check_e_step(e_step):
    mixture = BernoulliMixture.from_data(x[:100], 5, seed=3, probability_floor=0.01)
    guesses = e_step(mixture, x[:100])
    assert guesses.shape == (100, 5) and (guesses >= 0).all()


# %% wrong: sums only
# says: guesses without log pi got through
def check_e_step(e_step):
    mixture = BernoulliMixture.from_data(x[:100], 5, seed=3, probability_floor=0.01)
    assert_close(e_step(mixture, x[:100]).sum(-1), torch.ones(100, dtype=torch.float64))


# %% wrong: while all weights are equal
# says: guesses without log pi got through
def check_e_step(e_step):
    means = torch.tensor([[0.2, 0.7, 0.5], [0.6, 0.3, 0.4]], dtype=torch.float64)
    mixture = BernoulliMixture(torch.tensor([0.5, 0.5], dtype=torch.float64), means)
    images = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    guesses = e_step(mixture, images)
    assert_close(guesses.sum(-1), torch.ones(2, dtype=torch.float64))
    assert_close(guesses, mixture.e_step(images).probs)


# %% wrong: sums, and the likeliest cluster
# says: guesses from a mean over pixels got through
def check_e_step(e_step):
    means = torch.tensor([[0.4, 0.6, 0.5], [0.5, 0.4, 0.4]], dtype=torch.float64)
    mixture = BernoulliMixture(torch.tensor([0.9, 0.1], dtype=torch.float64), means)
    images = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    guesses = e_step(mixture, images)
    assert_close(guesses.sum(-1), torch.ones(2, dtype=torch.float64))
    assert (guesses.argmax(-1) == 0).all()


# %% wrong: sums, and the order of the clusters
# says: guesses from a mean over pixels got through
def check_e_step(e_step):
    mixture = BernoulliMixture.from_data(x[:100], 5, seed=3, probability_floor=0.01)
    mixture.fit(x[:100], num_steps=3)
    guesses = e_step(mixture, x[:100])
    assert_close(guesses.sum(-1), torch.ones(100, dtype=torch.float64))
    skewed = BernoulliMixture(torch.tensor([0.97, 0.03]).double(), torch.tensor([[0.5, 0.5], [0.6, 0.4]]).double())
    images = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    guesses = e_step(skewed, images)
    assert guesses[0, 0] > guesses[0, 1]
