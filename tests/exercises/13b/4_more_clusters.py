# %% right: up
prediction = "up"

# %% right: down
prediction = "down"

# %% wrong: a number
# says: predict up or down
prediction = 0.9

# %% wrong: another word
# says: predict up or down
prediction = "higher"
