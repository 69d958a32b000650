"""Prices from where they are published: fetched when asked, checked, kept by date."""
