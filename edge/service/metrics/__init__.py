"""What a running door measures of itself, for Prometheus."""
