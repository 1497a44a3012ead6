"""Preview: what the next transfer of a connection would do with each record, found out by a dry run of it."""
