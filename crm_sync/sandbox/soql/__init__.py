"""SOQL queries on an organisation's SQLite file.

`grammar` parses a query into a `tree`; `translate` turns it into SQL with the help of `names` (fields and joins),
`conditions` and `periods` (date literals); `answers` runs the SQL and returns records as the CRM does.
"""
