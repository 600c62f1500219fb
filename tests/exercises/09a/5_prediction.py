# %% right: the other guess is a prediction, too
prediction = "wakes"


# %% wrong: nothing was predicted
# says: predict "wakes" or "sleeps on"
prediction = None


# %% wrong: something else
# says: predict "wakes" or "sleeps on"
prediction = "both"
