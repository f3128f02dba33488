"""Notebooks, exercises, milestones: built, run, checked."""
