"""Stories in a real Chromium against a real server with its own database."""
