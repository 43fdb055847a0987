"""Step 1 of the paper: alpha, beta and gamma on your own data, from the exact iso-cost set to a verdict."""
