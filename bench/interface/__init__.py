"""The Python interface: what ``import bench`` offers, a module for each thing one does with it.

``bench.__init__`` names it all; the command line (``bench.commands``) calls the same functions.
"""
