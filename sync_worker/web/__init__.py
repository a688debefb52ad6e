"""The web page: what waits, for whom, why, and what to do about it in one click. It lives inside `run`.

It records people's decisions and never writes to Cliniko itself; the worker's next tick does. Patients' data is read
live for whoever may see it, shown, and kept nowhere. Pages work without script; nothing is fetched from another host.
"""
