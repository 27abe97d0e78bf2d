"""What a model costs and what it attends to."""
