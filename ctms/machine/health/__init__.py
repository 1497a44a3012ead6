"""Whether the Vault works: `manage.py doctor`, /livez and /readyz, figures for Prometheus."""
