"""How a Salesforce-style organisation is called.

`client` makes the calls that the transfer needs, `session` logs in and retries, `http` and `safe_transport` send one
call, `responses` and `errors` say what an answer means, `soql` builds queries, `describe` reads objects and fields.
"""
