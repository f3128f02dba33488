"""Engines: from what is wanted (ServeConfig) to a running server with a URL."""
