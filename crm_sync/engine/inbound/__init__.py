"""Receive marked calls of the CRM as Medical Activities.

`run` is one run of the integration; `place` keeps how far it has come. `reading` asks the CRM for calls, `deletions`
for what it has deleted; `applying` decides what follows from each call, by the `rows` that it reads, and `writing`
writes it.
"""
