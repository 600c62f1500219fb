# %% right: all states visited through many draws, without the bench, and an assertion in place of an answer
def accepts(estimator):
    model = exact.two_state(q=(0.3, 0.7))
    x = torch.ones(20_000, 1, dtype=torch.float64)
    truth = torch.autograd.grad(exact.enumerated_bound(model, x[:1]).sum(), model.posterior.logits)[0]
    means = []
    for _ in range(40):
        value = estimator(model, x).mean()
        means.append(torch.autograd.grad(value, model.posterior.logits)[0])
    means = torch.stack(means)
    assert ((means.mean(0) - truth).abs() < 5 * means.std(0) / 40**0.5).all()


# %% right: on the belief net of the text
def accepts(estimator):
    result = gradient_bench(net, x, {"it": estimator}, exact.enumerated_bound, 20_000, bias_name)["it"]
    return (
        result.max_abs_z < 5
        and gradient_bench(
            exact.two_state(q=(0.8, 0.2)), torch.ones(1, 1).double(), {"it": estimator}, exact.enumerated_bound, 50_000
        )["it"].max_abs_z
        < 5
    )


# %% wrong: refuses everything
# says: refuses a right estimator
def accepts(estimator):
    return False


# %% wrong: a single draw must be exact
# says: refuses a right estimator
def accepts(estimator):
    model, x = exact.two_state(q=(0.2, 0.8)), torch.ones(1, 1).double()
    truth = torch.autograd.grad(exact.enumerated_bound(model, x).sum(), model.posterior.logits)[0]
    assert_close(torch.autograd.grad(estimator(model, x).sum(), model.posterior.logits)[0], truth)


# %% wrong: must draw the very gradients of the text's estimator
# says: a constant baseline is free
def accepts(estimator):
    model, x = exact.two_state(q=(0.2, 0.8)), torch.ones(1, 1).double()
    gradients = []
    for one in (estimator, reinforce):
        torch.manual_seed(0)
        gradients.append(
            torch.autograd.grad(
                (one(model, x, num_samples=2) if one is reinforce else one(model, x)).sum(), model.posterior.logits
            )[0]
        )
    return torch.allclose(*gradients)


# %% wrong: asks for the variance of the plain estimator too
# says: a constant baseline is free
def accepts(estimator):
    model, x = exact.two_state(q=(0.2, 0.8)), torch.ones(1, 1).double()
    two = {"it": estimator, "plain": partial(score_function, num_samples=2)}
    it, plain = gradient_bench(model, x, two, exact.enumerated_bound, 50_000).values()
    return it.max_abs_z < 5 and abs(it.total_variance / plain.total_variance - 1) < 0.1


# %% wrong: q is uniform
# says: is your q uniform
def accepts(estimator):
    model = exact.two_state(q=(0.5, 0.5))
    result = gradient_bench(model, torch.ones(1, 1).double(), {"it": estimator}, exact.enumerated_bound, 50_000)["it"]
    return result.max_abs_z < 5


# %% wrong: accepts everything
# says: a baseline that saw its own sample passes
def accepts(estimator):
    return True


# %% wrong: looks at the direction only
# says: a baseline that saw its own sample passes
def accepts(estimator):
    model, x = exact.two_state(q=(0.2, 0.8)), torch.ones(1, 1).double()
    result = gradient_bench(model, x, {"it": estimator}, exact.enumerated_bound, 50_000)["it"]
    length = result.exact.norm() * result.mean.norm()
    return bool((result.exact * result.mean).sum() > 0.99 * length)


# %% wrong: a generous tolerance
# says: a baseline that saw its own sample passes
def accepts(estimator):
    model, x = exact.two_state(q=(0.2, 0.8)), torch.ones(1, 1).double()
    result = gradient_bench(model, x, {"it": estimator}, exact.enumerated_bound, 50_000)["it"]
    return bool(((result.mean - result.exact).abs() < 0.6 * result.exact.abs()).all())


# %% wrong: the length along the right direction, to within fifteen per cent
# says: a bias of a tenth passes
def accepts(estimator):
    model, x = exact.two_state(q=(0.2, 0.8)), torch.ones(1, 1).double()
    result = gradient_bench(model, x, {"it": estimator}, exact.enumerated_bound, 50_000)["it"]
    length = (result.mean * result.exact).sum() / result.exact.square().sum()
    return bool((length - 1).abs() < 0.15)


# %% wrong: a tolerance of a fifth
# says: a bias of a tenth passes
def accepts(estimator):
    model, x = exact.two_state(q=(0.2, 0.8)), torch.ones(1, 1).double()
    result = gradient_bench(model, x, {"it": estimator}, exact.enumerated_bound, 50_000)["it"]
    return bool(((result.mean - result.exact).abs() < 0.2 * result.exact.abs()).all())


# %% wrong: q is uniform, and draws are averaged by hand
# says: is your q uniform
def accepts(estimator):
    model, x = exact.two_state(q=(0.5, 0.5)), torch.ones(100_000, 1, dtype=torch.float64)
    truth = torch.autograd.grad(exact.enumerated_bound(model, x[:1]).sum(), model.posterior.logits)[0]
    mean = torch.autograd.grad(estimator(model, x).mean(), model.posterior.logits)[0]
    return bool((mean - truth).abs().max() < 0.01)
