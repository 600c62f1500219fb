# %% right: another prediction
prediction = "one"

# %% right: a third
prediction = "start"

# %% wrong: none is made
# says: before you go on
prediction = None

# %% wrong: a number
# says: before you go on
prediction = 1
