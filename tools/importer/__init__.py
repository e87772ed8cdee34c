"""Importer of trained networks: docs/importing.md."""
