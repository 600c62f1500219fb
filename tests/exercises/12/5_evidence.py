# %% right: by what is shown to whom
def shows_that_z_is_used(evidence):
    return {"teacher forcing": False, "log p": False, "redraws": True, "classifier": True}[evidence]


# %% right: what a model without z passes
def shows_that_z_is_used(evidence):
    passed_without_z = ("teacher forcing", "log p")
    return evidence not in passed_without_z


# %% wrong: nothing is returned
# says: return True or False
def shows_that_z_is_used(evidence):
    evidence == "redraws"


# %% wrong: words
# says: return True or False
def shows_that_z_is_used(evidence):
    return "yes" if evidence in ("redraws", "classifier") else "no"


# %% wrong: all of them
# says: teacher forcing shows the true pixels
def shows_that_z_is_used(evidence):
    return True


# %% wrong: pictures
# says: teacher forcing shows the true pixels
def shows_that_z_is_used(evidence):
    return evidence in ("teacher forcing", "redraws")


# %% wrong: the likelihood as well
# says: a good log p can come from the pixels before
def shows_that_z_is_used(evidence):
    return evidence != "teacher forcing"


# %% wrong: the likelihood alone
# says: a good log p can come from the pixels before
def shows_that_z_is_used(evidence):
    return evidence == "log p"


# %% wrong: none of them
# says: a redraw sees nothing of the digit but z
def shows_that_z_is_used(evidence):
    return False


# %% wrong: the classifier only
# says: a redraw sees nothing of the digit but z
def shows_that_z_is_used(evidence):
    return evidence == "classifier"


# %% wrong: redraws only
# says: the classifier sees z alone
def shows_that_z_is_used(evidence):
    return evidence == "redraws"


# %% wrong: what can be looked at
# says: the classifier sees z alone
def shows_that_z_is_used(evidence):
    return not evidence.startswith(("teacher", "log", "class"))
