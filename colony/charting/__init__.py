"""The pins of `charts/` compared with what repositories and registries publish."""
