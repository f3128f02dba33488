"""Machines that are not at hand: the cost of a step from bytes and FLOPs, and nano's scheduler on a virtual clock."""
