"""The labelled evaluation of patient matching: how many notes find their chart by themselves, and how many a wrong one.

    python -m tests.matching --seeds 10

A clinic's list of charts is made of FEBRL's made-up Australians (`febrl`), with twins, families, namesakes, duplicates
and merged charts planted on purpose. Each case is a hint, the chart it means, and what the right answer is. The labels
follow the rules as docs/matching.md tells them, never what the matcher happens to do: a case that it gets wrong stays.
"""
