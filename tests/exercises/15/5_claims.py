# %% right: the one, written otherwise
def claims():
    return "".join(["d"])


# %% wrong: a list
# says: return the letters
def claims():
    return ["d"]


# %% wrong: another letter
# says: return the letters
def claims():
    return "e"


# %% wrong: a
# says: compares 21 evaluations with one
def claims():
    return "ad"


# %% wrong: all
# says: compares 21 evaluations with one
def claims():
    return "abcd"


# %% wrong: b
# says: was asked for a good start
def claims():
    return "b"


# %% wrong: b and c
# says: was asked for a good start
def claims():
    return "bc"


# %% wrong: c
# says: its price is paid at every use
def claims():
    return "dc"


# %% wrong: c twice
# says: its price is paid at every use
def claims():
    return "cc"


# %% wrong: none
# says: is a comparison at equal cost
def claims():
    return ""


# %% wrong: none, written otherwise
# says: is a comparison at equal cost
def claims():
    return "abc".strip("abc")
