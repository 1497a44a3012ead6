"""How people and programs write dates, numbers and texts, and what they leave in files; nothing knows of records."""
