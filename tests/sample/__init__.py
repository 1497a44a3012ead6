"""An app as somebody would add it: models with their registrations, and nothing else. See test_new_object.py."""
