"""Sequence file, plan, run engine and command line."""
