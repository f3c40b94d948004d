"""Experiments with statistics: arms that differ in one thing, seeds that pair them, intervals beside every figure."""
