# %% right: by a search over the logarithm of S, in float32
def best_num_samples(v_data, v_mc, cost_datum, cost_sample):
    low, high = 0.0, 8.0
    for _ in range(200):
        a, b = low + 0.382 * (high - low), low + 0.618 * (high - low)
        f, g = ((v_data + v_mc / math.exp(t)) * (cost_datum + math.exp(t) * cost_sample) for t in (a, b))
        low, high = (low, b) if f < g else (a, high)
    return torch.tensor(math.exp((low + high) / 2))


# %% right: by hand, with a clamp
def best_num_samples(v_data, v_mc, cost_datum, cost_sample):
    return torch.tensor(v_mc / v_data * cost_datum / cost_sample).sqrt().clamp(min=1.0)


# %% wrong: without the root
# says: that is the square
def best_num_samples(v_data, v_mc, cost_datum, cost_sample):
    return max(1.0, v_mc * cost_datum / (v_data * cost_sample))


# %% wrong: without the root, and in tensors
# says: that is the square
def best_num_samples(v_data, v_mc, cost_datum, cost_sample):
    return torch.tensor(v_mc * cost_datum / v_data / cost_sample, dtype=torch.float64)


# %% wrong: upside down
# says: that is upside down
def best_num_samples(v_data, v_mc, cost_datum, cost_sample):
    return math.sqrt(v_data * cost_sample / (v_mc * cost_datum))


# %% wrong: upside down, from the derivative by 1 / S
# says: that is upside down
def best_num_samples(v_data, v_mc, cost_datum, cost_sample):
    share = torch.tensor(v_data / v_mc) * cost_sample / cost_datum
    return float(share**0.5)


# %% wrong: without the lower limit
# says: fewer than one sample cannot be drawn
def best_num_samples(v_data, v_mc, cost_datum, cost_sample):
    return math.sqrt(v_mc * cost_datum / (v_data * cost_sample))


# %% wrong: limited from above in place of below
# says: fewer than one sample cannot be drawn
def best_num_samples(v_data, v_mc, cost_datum, cost_sample):
    return min(1e6, math.sqrt(v_mc / v_data) * math.sqrt(cost_datum / cost_sample))


# %% wrong: always one
# says: one sample is best only if
def best_num_samples(v_data, v_mc, cost_datum, cost_sample):
    return 1.0


# %% wrong: one, because the limit is applied the wrong way round
# says: one sample is best only if
def best_num_samples(v_data, v_mc, cost_datum, cost_sample):
    return min(1.0, math.sqrt(v_mc * cost_datum / (v_data * cost_sample)))
