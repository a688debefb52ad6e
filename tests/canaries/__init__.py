"""Canaries: strings of forty kinds that must not come out, put through every path of the worker and looked for after.

`kinds` are the strings, `detector` finds them in any writing, `world` is where they live, `paths` is what is done with
them. The short form runs with the tests, `make prove-canaries` runs the whole matrix.
"""
