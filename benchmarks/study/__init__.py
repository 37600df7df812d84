"""The public study: what the autonomy brings, at equal environment steps, on seeds kept apart."""
