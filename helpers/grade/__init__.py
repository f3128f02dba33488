"""Grading: from a folder of submissions to marks, feedback and evidence."""
