"""The header in which a caller says how many seconds it still waits, so that no service works for nobody.

`services.client` sends it to the executor; whoever passes a request on sends what is left.
"""

HEADER = "X-Deadline-S"
