"""Alerts: what changed of a connection is told once, by e-mail, in the Vault and to a webhook."""
