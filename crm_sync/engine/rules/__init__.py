"""The rules of an integration, compiled once a run: `compiling` is the door."""
