# %% right: refuses with an assertion, by finite differences of the exact bound
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(1).double(), torch.zeros(1).double(), scale=1.0)
    count, at = 40_000, torch.tensor([0.9, -0.3], dtype=torch.float64)
    x = torch.ones(count, 1, dtype=torch.float64)

    def gap(place):
        q = td.Independent(td.Normal(place[:1], place[1:].exp()), 1)
        p = td.Independent(td.Normal(torch.tensor([0.4]).double(), torch.tensor([0.2]).double().sqrt()), 1)
        return -td.kl_divergence(q, p)

    steps = 1e-5 * torch.eye(2).double()
    truth = torch.stack([(gap(at + step) - gap(at - step)) / 2e-5 for step in steps])
    rows = at.expand(count, 2).clone().requires_grad_()
    implementation(model, x, rows[:, :1], rows[:, 1:]).sum().backward()
    se = rows.grad.std(0) / count**0.5
    assert ((rows.grad.mean(0) - truth).abs() < 4.5 * se + 1e-9).all()
    return True


# %% wrong: nothing comes back
# says: return True or False
def unbiased(implementation):
    pass


# %% wrong: the largest z-score comes back
# says: return True or False
def unbiased(implementation):
    return 2.5


# %% wrong: a single draw
# says: your test refuses the right implementation
def unbiased(implementation):
    torch.manual_seed(0)
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    loc = torch.full((1, 2), 0.7, dtype=torch.float64, requires_grad=True)
    log_scale = torch.full((1, 2), -0.5, dtype=torch.float64)
    (g,) = torch.autograd.grad(implementation(model, torch.ones(1, 2).double(), loc, log_scale).sum(), loc)
    return bool((g + 1.5).abs().max() < 1e-6)


# %% wrong: a tolerance below the noise
# says: your test refuses the right implementation
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    loc = torch.full((1000, 2), 0.7, dtype=torch.float64, requires_grad=True)
    log_scale = torch.full((1000, 2), -0.5, dtype=torch.float64)
    (g,) = torch.autograd.grad(implementation(model, torch.ones(1000, 2).double(), loc, log_scale).sum(), loc)
    return bool((g.mean(0) + 1.5).abs().max() < 1e-4)


# %% wrong: single gradients against those of the reference, with one seed
# says: sticking the landing is refused
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    gradients = []
    for each in (implementation, right):
        torch.manual_seed(0)
        loc = torch.full((5, 2), 0.7, dtype=torch.float64, requires_grad=True)
        log_scale = torch.full((5, 2), -0.5, dtype=torch.float64, requires_grad=True)
        value = each(model, torch.ones(5, 2).double(), loc, log_scale).sum()
        gradients.append(torch.autograd.grad(value, [loc, log_scale], allow_unused=True, materialize_grads=True))
    return all(torch.allclose(a, b) for a, b in zip(*gradients))


# %% wrong: the reference's draws, for the log-scale only
# says: sticking the landing is refused
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    gradients = []
    for each in (implementation, right):
        torch.manual_seed(1)
        log_scale = torch.full((5, 2), -0.5, dtype=torch.float64, requires_grad=True)
        value = each(model, torch.ones(5, 2).double(), torch.full((5, 2), 0.7).double(), log_scale).sum()
        gradients.append(torch.autograd.grad(value, log_scale)[0])
    return bool((gradients[0] - gradients[1]).abs().max() < 1e-8)


# %% wrong: the mean's gradient only
# says: a detached entropy passes
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    n = 20_000
    loc = torch.full((n, 2), 0.7, dtype=torch.float64, requires_grad=True)
    log_scale = torch.full((n, 2), -0.5, dtype=torch.float64)
    value = implementation(model, torch.ones(n, 2).double(), loc, log_scale).sum()
    (g,) = torch.autograd.grad(value, loc)
    return bool(((g.mean(0) + 1.5).abs() < 4.5 * g.std(0) / n**0.5).all())


# %% wrong: values in place of gradients
# says: a detached entropy passes
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    n = 50_000
    means = []
    for each in (implementation, right):
        values = each(
            model, torch.ones(n, 2).double(), torch.full((n, 2), 0.7).double(), torch.full((n, 2), -0.5).double()
        )
        means.append((values.mean(), values.var() / n))
    return bool((means[0][0] - means[1][0]).abs() < 4.5 * (means[0][1] + means[1][1]).sqrt())


# %% wrong: values and the mean's gradient, at log_scale zero
# says: a log-variance taken for a scale passes
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    n = 50_000
    loc = torch.full((n, 2), 0.7, dtype=torch.float64, requires_grad=True)
    log_scale = torch.zeros(n, 2, dtype=torch.float64, requires_grad=True)
    value = implementation(model, torch.ones(n, 2).double(), loc, log_scale)
    a, b = torch.autograd.grad(value.sum(), [loc, log_scale], allow_unused=True, materialize_grads=True)
    mean_fine = ((a.mean(0) + 1.5).abs() < 4.5 * a.std(0) / n**0.5 + 1e-9).all()
    even = abs(b.mean() / 4 - (b.mean() / 4).round()) < 0.05  # a multiple of the right gradient, -4
    return bool(mean_fine and even and b.mean() < -1)


# %% wrong: the log-scale's gradient up to a factor
# says: a log-variance taken for a scale passes
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    n = 20_000
    loc = torch.full((n, 2), 0.7, dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor([0.0, -1.5], dtype=torch.float64).repeat(n, 1).requires_grad_()
    value = implementation(model, torch.ones(n, 2).double(), loc, log_scale).sum()
    a, b = torch.autograd.grad(value, [loc, log_scale], allow_unused=True, materialize_grads=True)
    truth = 1 - 5 * (2 * log_scale[0].detach()).exp()
    mean_fine = ((a.mean(0) + 1.5).abs() < 4.5 * a.std(0) / n**0.5 + 1e-9).all()
    return bool(mean_fine and torch.cosine_similarity(b.mean(0), truth, 0) > 0.99)


# %% wrong: at the optimum, where every gradient has mean zero
# says: a detached sample passes
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    n = 20_000
    rows = torch.tensor([0.4, 0.4, -0.5 * math.log(5.0), -0.5 * math.log(5.0)], dtype=torch.float64)
    rows = rows.repeat(n, 1).requires_grad_()
    (g,) = torch.autograd.grad(implementation(model, torch.ones(n, 2).double(), rows[:, :2], rows[:, 2:]).sum(), rows)
    return bool((g.mean(0).abs() < 4.5 * g.std(0) / n**0.5 + 1e-9).all())


# %% wrong: the right sign or none
# says: a detached sample passes
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    n = 20_000
    rows = torch.cat([torch.full((n, 2), 0.7), torch.full((n, 2), -0.5)], 1).double().requires_grad_()
    (g,) = torch.autograd.grad(implementation(model, torch.ones(n, 2).double(), rows[:, :2], rows[:, 2:]).sum(), rows)
    truth = torch.tensor([-1.5, -1.5, 1 - 5 / math.e, 1 - 5 / math.e]).double()
    se = g.std(0) / n**0.5
    zero = (g.mean(0).abs() < 5 * se).all()
    return bool(((g.mean(0) - truth).abs() < 5 * se + 1e-9).all() or zero)


# %% wrong: up to a factor
# says: half the bound passes
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    n = 20_000
    rows = torch.cat([torch.full((n, 2), 0.7), torch.full((n, 2), -0.5)], 1).double().requires_grad_()
    (g,) = torch.autograd.grad(implementation(model, torch.ones(n, 2).double(), rows[:, :2], rows[:, 2:]).sum(), rows)
    truth = torch.tensor([-1.5, -1.5, 1 - 5 / math.e, 1 - 5 / math.e]).double()
    mean = g.mean(0)
    return bool(torch.cosine_similarity(mean, truth, 0) > 0.995)


# %% wrong: within a factor of three
# says: half the bound passes
def unbiased(implementation):
    model = exact.linear_gaussian(2 * torch.eye(2).double(), torch.zeros(2).double(), scale=1.0)
    n = 20_000
    rows = torch.cat([torch.full((n, 2), 0.7), torch.full((n, 2), -0.5)], 1).double().requires_grad_()
    (g,) = torch.autograd.grad(implementation(model, torch.ones(n, 2).double(), rows[:, :2], rows[:, 2:]).sum(), rows)
    truth = torch.tensor([-1.5, -1.5, 1 - 5 / math.e, 1 - 5 / math.e]).double()
    factor = g.mean(0) / truth
    return bool(((factor > 1 / 3) & (factor < 1.5)).all())
