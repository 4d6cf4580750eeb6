"""Decorated functions: what they are called and which kind they are; bodies that wait."""
