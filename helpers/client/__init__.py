"""Requests over HTTP to any OpenAI-compatible server. Knows no engine."""
