# %% right: another prediction, which the run corrects
prediction = "falls"


# %% wrong: none
# says: set prediction to
prediction = None


# %% wrong: a word that is not among them
# says: set prediction to
prediction = "it falls"
