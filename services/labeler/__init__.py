"""The labeler: process labels for reference solutions, by mutation, refactoring and execution.

    app ── routes ── service ── storage        what a client asks, and what is kept
                        └────── broker ──► worker ── tasks ── batch
    batch ── labeling ── reference (augmentation) ── candidates (operators, refactorings) ── labels
                 └────── verification ──► executor

Leaves out: teachers that ask a model; a request for one is refused.
"""
