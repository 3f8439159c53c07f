"""Myriad plans, proves and runs AI systems of ten thousand accelerators and the devices that they serve."""

__version__ = "0.1.0"
