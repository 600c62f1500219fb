# %% right: another prediction
prediction = "same"

# %% right: a third
prediction = "zero"

# %% wrong: none is made
# says: before you go on
prediction = None

# %% wrong: in other words
# says: before you go on
prediction = "it is halved"
