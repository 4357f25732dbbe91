"""From one topic into one table, side by side: a loop by hand, Bento, and the product in several ways; see `__main__.py`."""
