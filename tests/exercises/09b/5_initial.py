# %% right: what has to be sent anyway
def initial_bits_are_free(source):
    return source in ("another file", "images before")


# %% right: case by case
def initial_bits_are_free(source):
    if source == "generator":
        return False
    return True


# %% wrong: nothing is returned
# says: return True or False
def initial_bits_are_free(source):
    source == "generator"


# %% wrong: words
# says: return True or False
def initial_bits_are_free(source):
    return "no" if source == "generator" else "yes"


# %% wrong: the colleague
# says: knowing the seed does not shorten the file
def initial_bits_are_free(source):
    return True


# %% wrong: the seed is known
# says: knowing the seed does not shorten the file
def initial_bits_are_free(source):
    return source == "generator"


# %% wrong: never
# says: a file that has to be sent anyway
def initial_bits_are_free(source):
    return False


# %% wrong: only the chain
# says: a file that has to be sent anyway
def initial_bits_are_free(source):
    return source == "images before"


# %% wrong: only another file
# says: the code of earlier images
def initial_bits_are_free(source):
    return source == "another file"


# %% wrong: whatever is called a file
# says: the code of earlier images
def initial_bits_are_free(source):
    return "file" in source
