"""A clinic in a box: the real worker on a real ledger, with everything around it simulated from one seed.

    time        clocks.py     true time, and the host's clocks, which may be wrong
    services    network.py    httpx requests become calls of the sandboxes, with every way in which an answer gets lost
    processes   process.py    a worker that dies at a commit or a call, and of which nothing reaches anything after that
    ledgers     ledgers.py    ledger files and databases: fresh, copied, lost, put back
    people      world.py      patients, sessions, documents, and who changes what while the worker works
    fate        fate.py       when what goes wrong: by chance, or as a test says
    promises    oracle.py     what must hold, read off the Cliniko sandbox and not off the ledger

`python -m tests.simulation` plays many runs; `crash_points.py` dies once at each boundary of a story; `machine.py` lets
Hypothesis look for the shortest story that breaks a promise.
"""
