"""Tests: rules and acts here, whole stories in a real browser in `browser/`."""
