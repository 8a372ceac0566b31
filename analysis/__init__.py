"""Arrays in, numbers with uncertainties out; no input or output."""
