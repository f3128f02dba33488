"""Model files: the course model, its exports, and the catalogue. Knows no engine.

checkpoint -> (heavy) -> gguf, found by catalogue and kept by cache; card says what the course model is.
"""
