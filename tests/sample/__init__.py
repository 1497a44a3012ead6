"""An app as somebody would add it: one model, one registration, and nothing else. See test_new_object.py."""
