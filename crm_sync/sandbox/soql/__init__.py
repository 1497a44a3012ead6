"""SOQL: read with a grammar, translated to parameterised SQL on SQLite, answered in the CRM's shapes."""
