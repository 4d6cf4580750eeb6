"""The profiler: its settings, the plan that the native core follows, its steps in Python."""
