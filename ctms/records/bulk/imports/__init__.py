"""Imports of records of any object from a CSV file."""
