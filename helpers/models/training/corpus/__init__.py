"""The training corpus of the course model: seeded, endless, made from parts; one module for each kind of text."""
