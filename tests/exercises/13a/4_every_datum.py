# %% right: as it is
prediction = ("up", "down")

# %% right: another guess
prediction = ("up", "up")

# %% wrong: one word
# says: predict two things
prediction = "up"

# %% wrong: three words
# says: predict two things
prediction = ("up", "down", "up")

# %% wrong: numbers
# says: predict up or down
prediction = (1.03, -0.2)

# %% wrong: another word
# says: predict up or down
prediction = ("higher", "down")
