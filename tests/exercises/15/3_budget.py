# %% right: rounded down by hand
def budget(num_steps, num_samples, gradient_cost, score_samples):
    bill = score_samples + sum(num_samples * (gradient_cost + 1) for _ in range(num_steps))
    return torch.tensor(bill), int(bill // 1)


# %% wrong: the evaluations alone
# says: return two: the evaluations
def budget(num_steps, num_samples, gradient_cost, score_samples):
    return num_steps * num_samples * (1 + gradient_cost) + score_samples


# %% wrong: k alone
# says: return two: the evaluations
def budget(num_steps, num_samples, gradient_cost, score_samples):
    return int(num_steps * num_samples * (1 + gradient_cost) + score_samples)


# %% wrong: gradients for nothing
# says: the gradient costs too
def budget(num_steps, num_samples, gradient_cost, score_samples):
    evaluations = num_steps * num_samples + score_samples
    return evaluations, evaluations


# %% wrong: gradients for nothing, k right
# says: the gradient costs too
def budget(num_steps, num_samples, gradient_cost, score_samples):
    whole = num_steps * num_samples * (1 + gradient_cost) + score_samples
    return num_steps * num_samples + score_samples, int(whole)


# %% wrong: the score for nothing
# says: scoring the refined q costs
def budget(num_steps, num_samples, gradient_cost, score_samples):
    evaluations = num_steps * num_samples * (1 + gradient_cost)
    return evaluations, int(evaluations)


# %% wrong: the score for nothing, summed
# says: scoring the refined q costs
def budget(num_steps, num_samples, gradient_cost, score_samples):
    evaluations = sum(num_samples + gradient_cost * num_samples for _ in range(num_steps))
    return evaluations, int(evaluations) + score_samples


# %% wrong: half a sample
# says: round down
def budget(num_steps, num_samples, gradient_cost, score_samples):
    evaluations = num_steps * num_samples * (1 + gradient_cost) + score_samples
    return evaluations, evaluations + 0.25


# %% wrong: samples in tenths
# says: round down
def budget(num_steps, num_samples, gradient_cost, score_samples):
    evaluations = num_steps * num_samples * (1 + gradient_cost) + score_samples
    return evaluations, evaluations - 0.1


# %% wrong: the score is not spent
# says: L_k is its own score
def budget(num_steps, num_samples, gradient_cost, score_samples):
    evaluations = num_steps * num_samples * (1 + gradient_cost)
    return evaluations + score_samples, int(evaluations)


# %% wrong: the score is taken off again
# says: L_k is its own score
def budget(num_steps, num_samples, gradient_cost, score_samples):
    evaluations = num_steps * num_samples * (1 + gradient_cost) + score_samples
    return evaluations, int(evaluations) - score_samples
