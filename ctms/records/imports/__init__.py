"""Importing records of any object from a CSV file."""
