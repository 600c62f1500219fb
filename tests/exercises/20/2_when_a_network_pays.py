# %% right: counted
def pays_from(training, per_datum, search):
    if per_datum >= search:
        return 0
    num = 1
    while training + num * per_datum >= num * search:
        num += 1
    return num


# %% right: by ceiling
def pays_from(training, per_datum, search):
    saved = search - per_datum
    if saved <= 0:
        return 0
    num = math.ceil(training / saved)
    return num + (training == num * saved)


# %% wrong: the encoder for nothing
# says: encoder's own seconds
def pays_from(training, per_datum, search):
    return math.floor(training / search) + 1


# %% wrong: the encoder for nothing, counted
# says: encoder's own seconds
def pays_from(training, per_datum, search):
    num = 1
    while training >= num * search:
        num += 1
    return num


# %% wrong: seconds
# says: seconds are not numbers of data
def pays_from(training, per_datum, search):
    return int(training)


# %% wrong: seconds, as a tensor
# says: seconds are not numbers of data
def pays_from(training, per_datum, search):
    return torch.tensor(int(training))


# %% wrong: not whole
# says: a whole number of data
def pays_from(training, per_datum, search):
    return training / (search - per_datum) + 0.3701


# %% wrong: not whole, a share more
# says: a whole number of data
def pays_from(training, per_datum, search):
    return 1.00317 * training / (search - per_datum)


# %% wrong: at equality
# says: the times are equal
def pays_from(training, per_datum, search):
    if search <= per_datum:
        return 0
    exactly = training / (search - per_datum)
    return 100 if exactly == 100 else math.floor(exactly) + 1


# %% wrong: at equality, counted
# says: the times are equal
def pays_from(training, per_datum, search):
    num = 1
    while search > per_datum and training + num * per_datum > num * search + 0.0:
        num += 1
    exactly = training / (search - per_datum)
    return num + (exactly == num and num != 100)


# %% wrong: never is an error
# says: never pays
def pays_from(training, per_datum, search):
    return math.floor(training / (search - per_datum)) + 1


# %% wrong: never is minus one
# says: never pays
def pays_from(training, per_datum, search):
    return math.floor(training / (search - per_datum)) + 1 if search > per_datum else -1
