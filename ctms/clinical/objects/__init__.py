"""The clinical objects as a new Vault has them: fields by API name, types, lists and page layouts."""
