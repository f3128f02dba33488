"""Model files: the course model, its exports, and the catalogue. Knows no engine."""
