"""Statements on the databases of tenants: one file for each kind of server, and what they have in common."""
