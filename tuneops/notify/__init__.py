"""Telling people: messages are written with the change they tell of, and delivered afterwards."""
