"""The 43 workflow control-flow patterns, each run on the real executor."""
