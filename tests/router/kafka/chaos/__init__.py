"""Members of a group that come, go and are killed, and somebody who watches what they commit."""
