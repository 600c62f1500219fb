# %% right: train
prediction = "train"

# %% right: test
prediction = "test"

# %% wrong: a number
# says: predict train or test
prediction = 0.3

# %% wrong: another word
# says: predict train or test
prediction = "positive"
