"""How many samples and inputs the final measurement of an encoder uses."""

SAMPLES = 12  # samples of z for each input, as in Alemi et al.
RATE_INPUTS = 4096  # limit on the inputs for bounds on the rate, which compare all pairs of inputs
