"""Networks of endpoints, switches and links: built, counted, and how far they carry."""
