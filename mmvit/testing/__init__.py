"""What tests and tools for developers share."""
