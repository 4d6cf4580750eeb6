"""Waiting for the network side, and batches on their way to asynchronous handlers."""
