# %% right: of the sum
def bits_per_dimension(log_px, num_dimensions):
    return -log_px.sum() / (len(log_px) * num_dimensions * math.log(2))


# %% right: by log2
def bits_per_dimension(log_px, num_dimensions):
    return (-log_px / num_dimensions).mean() * math.log2(math.e)


# %% wrong: nats
# says: these are nats
def bits_per_dimension(log_px, num_dimensions):
    return -log_px.mean() / num_dimensions


# %% wrong: nats of the sum
# says: these are nats
def bits_per_dimension(log_px, num_dimensions):
    return -log_px.sum() / len(log_px) / num_dimensions


# %% wrong: negative
# says: bits are spent
def bits_per_dimension(log_px, num_dimensions):
    return log_px.mean() / num_dimensions / math.log(2)


# %% wrong: negative, by log2
# says: bits are spent
def bits_per_dimension(log_px, num_dimensions):
    return log_px.mean() * math.log2(math.e) / num_dimensions


# %% wrong: of an image
# says: these are bits of a whole image
def bits_per_dimension(log_px, num_dimensions):
    return -log_px.mean() / math.log(2)


# %% wrong: of an image, by log2
# says: these are bits of a whole image
def bits_per_dimension(log_px, num_dimensions):
    return -log_px.mean() * math.log2(math.e)


# %% wrong: times log 2
# says: multiplied by log 2
def bits_per_dimension(log_px, num_dimensions):
    return -log_px.mean() / num_dimensions * math.log(2)


# %% wrong: over log2 e
# says: multiplied by log 2
def bits_per_dimension(log_px, num_dimensions):
    return -log_px.mean() / num_dimensions / math.log2(math.e)
