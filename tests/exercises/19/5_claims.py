# %% right: written otherwise
def claims():
    return "".join(letter for letter in "abcd" if letter == "c")


# %% wrong: a list
# says: return the letters
def claims():
    return ["c"]


# %% wrong: another letter
# says: return the letters
def claims():
    return "ce"


# %% wrong: a
# says: compares two different bounds
def claims():
    return "a"


# %% wrong: all
# says: compares two different bounds
def claims():
    return "abcd"


# %% wrong: b
# says: change places
def claims():
    return "b"


# %% wrong: b and c
# says: change places
def claims():
    return "bc"


# %% wrong: d
# says: DReG repairs the noise
def claims():
    return "d"


# %% wrong: c and d
# says: DReG repairs the noise
def claims():
    return "cd"


# %% wrong: none
# says: needs weights that do not vary
def claims():
    return ""


# %% wrong: none, written otherwise
# says: needs weights that do not vary
def claims():
    return "abcd"[:0]
