"""What runs on the Ray cluster."""
