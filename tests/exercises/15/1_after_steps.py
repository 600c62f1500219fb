# %% right: step by step, in float32
def after_steps(error, curvature, rate, num_steps):
    error, curvature = error.float(), curvature.float()
    for _ in range(num_steps):
        error = error - rate * curvature * error
    return (0.5 * error * curvature * error).sum(1), 2.0 / max(curvature.tolist())


# %% wrong: the gap alone
# says: return two: the gap
def after_steps(error, curvature, rate, num_steps):
    return 0.5 * (curvature * (error * (1 - rate * curvature) ** num_steps) ** 2).sum(-1)


# %% wrong: a list
# says: return two: the gap
def after_steps(error, curvature, rate, num_steps):
    return [0.5 * (curvature * (error * (1 - rate * curvature) ** num_steps) ** 2).sum(-1), 2 / curvature.max()]


# %% wrong: no half
# says: the half is missing
def after_steps(error, curvature, rate, num_steps):
    return (curvature * (error * (1 - rate * curvature) ** num_steps) ** 2).sum(-1), 2 / curvature.max()


# %% wrong: no half, step by step
# says: the half is missing
def after_steps(error, curvature, rate, num_steps):
    for _ in range(num_steps):
        error = error * (1 - rate * curvature)
    return (error**2) @ curvature, 2 / curvature.max()


# %% wrong: the gap shrinks as the error
# says: and the gap by its square
def after_steps(error, curvature, rate, num_steps):
    return 0.5 * (curvature * error**2 * (1 - rate * curvature) ** num_steps).sum(-1), 2 / curvature.max()


# %% wrong: the gap shrinks as the error, step by step
# says: and the gap by its square
def after_steps(error, curvature, rate, num_steps):
    part = 0.5 * curvature * error**2
    for _ in range(num_steps):
        part = part * (1 - rate * curvature)
    return part.sum(-1), 2 / curvature.max()


# %% wrong: one over m
# says: at 1 / m the error is gone in one step
def after_steps(error, curvature, rate, num_steps):
    return 0.5 * (curvature * (error * (1 - rate * curvature) ** num_steps) ** 2).sum(-1), 1 / curvature.max()


# %% wrong: one over m, as a number
# says: at 1 / m the error is gone in one step
def after_steps(error, curvature, rate, num_steps):
    return 0.5 * (error * (1 - rate * curvature) ** num_steps) ** 2 @ curvature, (1 / curvature).min().item()


# %% wrong: the flattest
# says: the sharpest direction is the first to run away
def after_steps(error, curvature, rate, num_steps):
    return 0.5 * (curvature * (error * (1 - rate * curvature) ** num_steps) ** 2).sum(-1), 2 / curvature.min()


# %% wrong: the largest of the limits
# says: the sharpest direction is the first to run away
def after_steps(error, curvature, rate, num_steps):
    return 0.5 * (error * (1 - rate * curvature) ** num_steps) ** 2 @ curvature, (2 / curvature).max()
