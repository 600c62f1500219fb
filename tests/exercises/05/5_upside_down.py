# %% right: another prediction
prediction = "larger"

# %% wrong: no prediction
# says: before you run the experiment
prediction = None

# %% wrong: a number
# says: before you run the experiment
prediction = 0.5
