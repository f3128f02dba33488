"""Measuring: workload, load shape, runner, metrics, statistics, report."""
