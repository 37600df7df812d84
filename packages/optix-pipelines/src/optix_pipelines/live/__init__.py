"""What a live pipeline is made of: reading, reconnecting, buffering, windows and their ends."""
