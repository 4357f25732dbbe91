"""Members of one group, in this process, that come and go in order all the time."""
