"""Where a record is in the CRMs, for its page: what the links, items and rules of the transfer say of it now."""
