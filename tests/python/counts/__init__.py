"""
Instructions per profiled call, counted by valgrind: what is too noisy to time on shared machines.

`make counts` prints them, the tests of this folder compare them with `accepted/`, and
`make count-accept` accepts what the code at hand needs.
"""
