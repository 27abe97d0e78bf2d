"""Pictures of samples, predictions and maps."""
