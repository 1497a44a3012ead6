"""Send records of the Vault to the CRM.

`run` is one run of one integration. `candidates` and `selection` choose the records to look at; `batches` sends them
and writes the results. In a dry run, `foresight` answers for the CRM by the `crm_values` that it reads. `adoption`
finds what an interrupted run sent, `deletions` shows deletions in the CRM, and `crm_deletions` notices those that the
CRM made.
"""
