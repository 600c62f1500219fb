# %% right: flatter
prediction = "flatter"

# %% right: as before
prediction = "-1/2"

# %% wrong: nothing
# says: predict -1/2 or flatter
prediction = None

# %% wrong: a number
# says: predict -1/2 or flatter
prediction = -0.5
