# %% right: another prediction
prediction = "stays"

# %% wrong: no prediction
# says: before you run the experiment
prediction = None

# %% wrong: another word
# says: before you run the experiment
prediction = "explodes"
