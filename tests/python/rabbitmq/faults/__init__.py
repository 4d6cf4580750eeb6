"""
Faults of a broker and a network, and what becomes of the records meanwhile.

`recording.py` is the process that records, `system.py` what else it can be told, `worker.py` how
the others speak to it, `scene.py` what stands around it, `limits.py` and `*_faults.py` the faults,
one function each, `soak.py` many of them at random, `table.py` how the outcomes are shown. Tests
and `make faults` run the same scenarios.
"""
