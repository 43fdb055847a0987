"""PyTorch's files, read by hand: nothing they hold is run, and nothing is allocated that they do not hold."""
