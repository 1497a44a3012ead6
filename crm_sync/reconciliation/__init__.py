"""Reconciliation: compare all records of a connection with the rows of its CRM, and repair what nothing explains."""
