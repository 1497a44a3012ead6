"""How records are transferred between the Vault and a CRM.

`run` runs the integrations of one connection by the rules that `rules` compiles and `mapping` follows:
those of the room `outbound` send, that of `inbound` receives, and `identity` says whose account is whose.
"""
