"""What the transfer expects of any CRM, whatever it speaks.

`dialect` is the protocol with the rows and times that it passes on, `description` an object as a CRM describes it, and
`errors` what can go wrong. `safe_transport` and `deadlines` serve every dialect that speaks HTTP.
"""
