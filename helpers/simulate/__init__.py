"""Machines that are not at hand: nano's scheduler on a virtual clock, and a cost model fitted to published figures.

`simulate_load` answers like `helpers.sweep`: the same runs and records, labelled simulated, with 80 % intervals and a
mark where it leaves what was published. `plan_capacity` puts machines side by side at an objective.

Contract of the parts: `architectures` (what a model weighs), `devices` (what a machine can do), `cost` (bytes and
FLOPs of a step), `fit` (six parameters from published figures), `clock` (the scheduler over virtual time).
"""
