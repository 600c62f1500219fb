# %% right: none, written otherwise
def claims():
    return "".join([])


# %% wrong: a list
# says: return the letters
def claims():
    return ["a"]


# %% wrong: another letter
# says: return the letters
def claims():
    return "d"


# %% wrong: a
# says: compares 21 evaluations with one
def claims():
    return "a"


# %% wrong: all
# says: compares 21 evaluations with one
def claims():
    return "abc"


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
    return "c"


# %% wrong: c twice
# says: its price is paid at every use
def claims():
    return "cc"
