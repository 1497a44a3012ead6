"""Checks of connections: test, rules, identifiers, host name and health."""
