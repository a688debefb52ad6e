"""Workers that are broken on purpose, one promise each: the suite has to catch every one of them."""
