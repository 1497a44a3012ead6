"""Which account of the CRM is which person, and which organisation a connection leads to; checked in every run.

`account_matching` compares identifiers, `changes` marks what a changed identifier concerns, and `look_alikes` names
values that only look equal. `organisation` claims the organisation for its connection.
"""
