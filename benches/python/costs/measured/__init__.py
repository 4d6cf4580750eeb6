"""
What runs under a participant's interpreter: `python -m costs.measured PARTICIPANT GROUP`.

Imports nothing but the standard library and the participant's package.
"""
