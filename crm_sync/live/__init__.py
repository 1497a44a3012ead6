"""Transfers as it happens: what is committed is sent within seconds, calls are fetched every minute."""
