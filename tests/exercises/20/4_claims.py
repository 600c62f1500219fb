# %% right: written otherwise
def claims():
    return "".join(letter for letter in "abcd" if letter == "d")


# %% wrong: a list
# says: return the letters
def claims():
    return ["d"]


# %% wrong: another letter
# says: return the letters
def claims():
    return "de"


# %% wrong: a
# says: the front holds the quickest
def claims():
    return "a"


# %% wrong: a and d
# says: the front holds the quickest
def claims():
    return "ad"


# %% wrong: b
# says: the worst at forty
def claims():
    return "b"


# %% wrong: b and d
# says: the worst at forty
def claims():
    return "db"


# %% wrong: c
# says: judge decoders by log p
def claims():
    return "c"


# %% wrong: c and d
# says: judge decoders by log p
def claims():
    return "cd"


# %% wrong: none
# says: ends at the best diagonal
def claims():
    return ""


# %% wrong: none, built up
# says: ends at the best diagonal
def claims():
    return "".join([])
