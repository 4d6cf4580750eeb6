"""
What becomes of memory and references, whatever is called: one program that makes every kind of
call, and what watches it.
"""
