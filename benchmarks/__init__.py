"""Measurements of speed and size beside peers; see run.py."""
