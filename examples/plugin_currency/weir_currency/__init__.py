"""Amounts of money in other currencies, as a node kind for Weir."""
