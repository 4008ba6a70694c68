"""Who may come in: keys, tokens, which sites and hosts are ours, how many sessions a key has."""
