"""Measurements of this project; none of them decides anything."""
