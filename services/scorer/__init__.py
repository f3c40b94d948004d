"""The scorer: a probability for every step of a program, from one causal pass of a token-classification checkpoint."""
