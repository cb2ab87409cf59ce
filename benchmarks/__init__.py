"""One module a concern: `python -m benchmarks.<concern> [--smoke]` prints a table and JSON."""
