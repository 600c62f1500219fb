# %% right: with running sums, in numpy's integers where they are small
def encode(symbols, frequencies, precision, h):
    starts = [0]
    for frequency in frequencies:
        starts.append(starts[-1] + frequency)
    for symbol in symbols[::-1]:
        quotient, rest = divmod(h, frequencies[symbol])
        h = quotient * 2**precision + starts[symbol] + rest
    return h


# %% right: recursively
def encode(symbols, frequencies, precision, h):
    if not symbols:
        return h
    h = encode(symbols[1:], frequencies, precision, h)
    f, c = frequencies[symbols[0]], sum(frequencies[: symbols[0]])
    return ((h // f) << precision) + c + (h % f)


# %% right: the h-th number of those that belong to the symbol, by counting
def encode(symbols, frequencies, precision, h):
    for symbol in reversed(symbols):
        c = sum(frequencies[:symbol])
        belonging = range(c, c + frequencies[symbol])
        h = 2**precision * (h // len(belonging)) + belonging[h % len(belonging)]
    return h


# %% wrong: nothing is returned
# says: the number is None
def encode(symbols, frequencies, precision, h):
    for symbol in reversed(symbols):
        h = (h // frequencies[symbol] << precision) + sum(frequencies[:symbol]) + h % frequencies[symbol]


# %% wrong: printed in place of returned
# says: the number is None
def encode(symbols, frequencies, precision, h):
    print(h)


# %% wrong: divided by the probability
# says: the number must be a whole one
def encode(symbols, frequencies, precision, h):
    for symbol in reversed(symbols):
        h = h / (frequencies[symbol] / 2**precision)
    return h


# %% wrong: a true division
# says: the number must be a whole one
def encode(symbols, frequencies, precision, h):
    for symbol in reversed(symbols):
        h = (h / frequencies[symbol]) * 2**precision + sum(frequencies[:symbol]) + h % frequencies[symbol]
    return h


# %% wrong: pushed in reading order
# says: the first symbol comes out last
def encode(symbols, frequencies, precision, h):
    for symbol in symbols:
        h = (h // frequencies[symbol] << precision) + sum(frequencies[:symbol]) + h % frequencies[symbol]
    return h


# %% wrong: reversed twice
# says: the first symbol comes out last
def encode(symbols, frequencies, precision, h):
    for symbol in list(reversed(symbols))[::-1]:
        f = frequencies[symbol]
        h = h // f * 2**precision + sum(frequencies[:symbol]) + h % f
    return h


# %% wrong: no start
# says: every interval begins at 0 here
def encode(symbols, frequencies, precision, h):
    for symbol in reversed(symbols):
        h = (h // frequencies[symbol] << precision) + h % frequencies[symbol]
    return h


# %% wrong: the sum of no frequencies
# says: every interval begins at 0 here
def encode(symbols, frequencies, precision, h):
    for symbol in reversed(symbols):
        f, c = frequencies[symbol], sum(frequencies[:0])
        h = h // f * 2**precision + c + h % f
    return h


# %% wrong: the remainder forgotten
# says: the remainder h mod f is lost
def encode(symbols, frequencies, precision, h):
    for symbol in reversed(symbols):
        h = (h // frequencies[symbol] << precision) + sum(frequencies[:symbol])
    return h


# %% wrong: the first point of the interval only
# says: the remainder h mod f is lost
def encode(symbols, frequencies, precision, h):
    for symbol in symbols[::-1]:
        h = 2**precision * (h // frequencies[symbol]) + sum(frequencies[k] for k in range(symbol))
    return h


# %% wrong: remainder by 2^r
# says: is right
def encode(symbols, frequencies, precision, h):
    for symbol in reversed(symbols):
        h = (h // frequencies[symbol] << precision) + sum(frequencies[:symbol]) + h % 2**precision
    return h


# %% wrong: the interval begins where it ends
# says: is right
def encode(symbols, frequencies, precision, h):
    for symbol in reversed(symbols):
        h = (h // frequencies[symbol] << precision) + sum(frequencies[: symbol + 1]) + h % frequencies[symbol]
    return h
