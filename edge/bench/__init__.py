"""Benchmarks and evaluations: figures from recorded video and labelled images."""
