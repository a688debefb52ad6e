"""What each command does. `__main__` knows their arguments; nothing here is imported before its command runs."""
