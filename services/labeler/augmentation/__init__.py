"""More tests for a problem: the arguments of its own tests, mutated by type, with the reference as the oracle.

Three asserts let wrong programs pass, and a wrong step that passes is a wrong label. EvalPlus showed the cure:
https://arxiv.org/abs/2305.01210.
"""
