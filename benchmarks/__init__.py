"""What the README's numbers and pictures come from."""
