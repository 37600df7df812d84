"""The other side of each comparison: scripts that run inside the peers' own environments."""
