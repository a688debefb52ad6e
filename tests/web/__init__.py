"""The web page, asked over real sockets: by programs here, by a real browser in `browser`."""
