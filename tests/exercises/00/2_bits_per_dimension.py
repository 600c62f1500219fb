# %% right: another base
def bits_per_dimension(log_px, num_dimensions):
    return -log_px * math.log2(math.e) / num_dimensions


# %% right: in float32
def bits_per_dimension(log_px, num_dimensions):
    return -torch.tensor(log_px) / (num_dimensions * math.log(2))


# %% wrong: always one
# says: where
def bits_per_dimension(log_px, num_dimensions):
    return 1.0


# %% wrong: absolute value
# says: the sign
def bits_per_dimension(log_px, num_dimensions):
    return abs(log_px) / math.log(2) / num_dimensions


# %% wrong: no minus
# says: the sign
def bits_per_dimension(log_px, num_dimensions):
    return log_px / math.log(2) / num_dimensions


# %% wrong: per image
# says: these are bits per image
def bits_per_dimension(log_px, num_dimensions):
    return -log_px / math.log(2)


# %% wrong: per image, another base
# says: these are bits per image
def bits_per_dimension(log_px, num_dimensions):
    return -log_px * math.log2(math.e)


# %% wrong: nats
# says: these are nats per dimension
def bits_per_dimension(log_px, num_dimensions):
    return -log_px / num_dimensions


# %% wrong: natural logarithm of the probability
# says: these are nats per dimension
def bits_per_dimension(log_px, num_dimensions):
    return -math.log(math.exp(log_px / num_dimensions))


# %% wrong: multiplied
# says: multiplied by log 2
def bits_per_dimension(log_px, num_dimensions):
    return -log_px * math.log(2) / num_dimensions


# %% wrong: divided by log2 e
# says: multiplied by log 2
def bits_per_dimension(log_px, num_dimensions):
    return -log_px / math.log2(math.e) / num_dimensions
