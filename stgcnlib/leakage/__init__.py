"""Leakage: what the test part of a split shares with its training part, and what that means in sentences.

Three kinds are told apart: recordings that are equal number for number, recordings that are nearly so, and one
performance seen from several places. The first two make a test too easy; the third is part of some protocols.
"""

from stgcnlib.leakage.result import EQUAL, NEAR_EQUAL, SAME_PERFORMANCE, Leakage
from stgcnlib.leakage.search import find_leakage

__all__ = ["EQUAL", "NEAR_EQUAL", "SAME_PERFORMANCE", "Leakage", "find_leakage"]
