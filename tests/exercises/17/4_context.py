# %% right: most
prediction = "most"

# %% right: little
prediction = "little"

# %% wrong: a number
# says: predict most or little
prediction = 0.1

# %% wrong: another word
# says: predict most or little
prediction = "context"
