# %% right: finite differences, and a verdict
def check_gradient(gradient):
    g = torch.Generator().manual_seed(1)
    log_weights = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64).log()
    logits = torch.randn(3, x.shape[1], generator=g, dtype=torch.float64) / 10
    some, claimed = x[:40], gradient(x[:40], log_weights, logits)
    for k, d in ((0, 20), (1, 21), (2, 42), (0, 28), (1, 36)):
        step = torch.zeros_like(logits)
        step[k, d] = 1e-5
        rise = log_px(some, log_weights, logits + step).mean() - log_px(some, log_weights, logits - step).mean()
        if abs(rise / 2e-5 - claimed[k, d]) > 1e-7:
            return False
    return True


# %% right: another exception, in float32
def check_gradient(gradient):
    g = torch.Generator().manual_seed(2)
    log_weights = torch.tensor([0.5, 0.5 - 0.1, 0.1]).log()
    logits = (torch.randn(3, x.shape[1], generator=g) / 10).requires_grad_()
    (right,) = torch.autograd.grad(log_px(x[:50].float(), log_weights, logits).mean(), logits)
    if not torch.allclose(gradient(x[:50].float(), log_weights, logits.detach()), right, atol=1e-5):
        raise ValueError("not the gradient")


# %% wrong: equal to the last bit
# says: is it too strict?
def check_gradient(gradient):
    logits = torch.randn(3, x.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 10
    logits.requires_grad_()
    log_weights = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log()
    (right,) = torch.autograd.grad(log_px(x[:50], log_weights, logits).mean(), logits)
    assert torch.equal(gradient(x[:50], log_weights, logits.detach()), right)


# %% wrong: the gradient of the sum
# says: is it too strict?
def check_gradient(gradient):
    logits = torch.randn(3, x.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 10
    logits.requires_grad_()
    log_weights = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log()
    (right,) = torch.autograd.grad(log_px(x[:50], log_weights, logits).sum(), logits)
    assert_close(gradient(x[:50], log_weights, logits.detach()), right)


# %% wrong: only the shape
# says: prior weights got through
def check_gradient(gradient):
    logits = torch.zeros(3, x.shape[1], dtype=torch.float64)
    assert gradient(x[:50], torch.full((3,), 1 / 3).double().log(), logits).shape == logits.shape


# %% wrong: all clusters the same
# says: prior weights got through
def check_gradient(gradient):
    log_weights = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log()
    logits = torch.zeros(3, x.shape[1], dtype=torch.float64, requires_grad=True)
    (right,) = torch.autograd.grad(log_px(x[:50], log_weights, logits).mean(), logits)
    assert_close(gradient(x[:50], log_weights, logits.detach()), right)


# %% wrong: clusters equally heavy
# says: a posterior without its prior
def check_gradient(gradient):
    log_weights = torch.full((3,), 1 / 3, dtype=torch.float64).log()
    logits = torch.randn(3, x.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 10
    logits.requires_grad_()
    (right,) = torch.autograd.grad(log_px(x[:50], log_weights, logits).mean(), logits)
    assert_close(gradient(x[:50], log_weights, logits.detach()), right)


# %% wrong: two clusters equally heavy
# says: a posterior without its prior
def check_gradient(gradient):
    log_weights = torch.tensor([0.5, 0.5], dtype=torch.float64).log()
    logits = torch.randn(2, x.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 10
    logits.requires_grad_()
    (right,) = torch.autograd.grad(log_px(x[:50], log_weights, logits).mean(), logits)
    assert_close(gradient(x[:50], log_weights, logits.detach()), right)


# %% wrong: three clusters far apart
# says: hard decisions got through
def check_gradient(gradient):
    log_weights = torch.tensor([0.0] + [-100.0] * 2, dtype=torch.float64)
    logits = 20 * torch.randn(3, x.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits.requires_grad_()
    (right,) = torch.autograd.grad(log_px(x[:50], log_weights, logits).mean(), logits)
    assert_close(gradient(x[:50], log_weights, logits.detach()), right, rtol=0, atol=0.01)


# %% wrong: two clusters far apart
# says: hard decisions got through
def check_gradient(gradient):
    log_weights = torch.tensor([0.0] + [-100.0] * 1, dtype=torch.float64)
    logits = 20 * torch.randn(2, x.shape[1], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    logits.requires_grad_()
    (right,) = torch.autograd.grad(log_px(x[:50], log_weights, logits).mean(), logits)
    assert_close(gradient(x[:50], log_weights, logits.detach()), right, rtol=0, atol=0.01)


# %% wrong: one direction only
# says: a mean over pixels got through
def check_gradient(gradient):
    logits = torch.randn(3, x.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 10
    logits.requires_grad_()
    log_weights = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log()
    (right,) = torch.autograd.grad(log_px(x[:50], log_weights, logits).mean(), logits)
    mine = gradient(x[:50], log_weights, logits.detach())
    assert F.cosine_similarity(mine.flatten(), right.flatten(), dim=0) > 1 - 1e-9


# %% wrong: scaled to the largest entry
# says: a mean over pixels got through
def check_gradient(gradient):
    logits = torch.randn(3, x.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 10
    logits.requires_grad_()
    log_weights = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log()
    (right,) = torch.autograd.grad(log_px(x[:50], log_weights, logits).mean(), logits)
    mine = gradient(x[:50], log_weights, logits.detach())
    assert_close(mine / mine.abs().max(), right / right.abs().max())
