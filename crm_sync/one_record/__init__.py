"""Test one record: what a transfer would do with it and why, the request, and the CRM's answer once it is sent.

It is the transfer itself, narrowed to one record by `RunSession.only`. What is true of all records is left to it: its
bookmark, the state of the connection, alerts and the comparison of all identifiers.
"""
