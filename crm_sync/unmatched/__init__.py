"""Persons without an account in a connection's CRM, accounts without a person, and how they are matched."""
