"""k3s on the user's own machines, by SSH."""
