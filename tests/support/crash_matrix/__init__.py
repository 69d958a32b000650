"""The crash matrix: a colony's whole life, cut off before and after every operation.

PYTHONPATH=tests/support python -m crash_matrix           every cell, as a table
PYTHONPATH=tests/support python -m crash_matrix --sample 8
"""
