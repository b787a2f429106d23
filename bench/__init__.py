"""Measures a machine and Weir on it: one file per measure, `weir bench` prints them."""
