"""How people and programs write dates, numbers and texts, and what they leave in files. Nothing here knows about records."""
