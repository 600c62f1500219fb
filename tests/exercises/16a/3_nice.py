# %% right: as it is
prediction = "more"

# %% right: the other guess
prediction = "zero"

# %% wrong: a number
# says: predict "zero" or "more"
prediction = 0.0

# %% wrong: another word
# says: predict "zero" or "more"
prediction = "nothing"
