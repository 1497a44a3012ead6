"""What the transfer adds to what the Vault shares: panels, reports, figures, rules of retention, setup steps."""
