"""The labeler: process labels for reference solutions, by mutation, refactoring and execution.

routes ── jobs ── repository ── tables         what a client asks, and what is kept
             └─── dispatch ──► Celery ──► worker ── tasks ── labeling
labeling ── candidates (operators, refactorings) ── verification (executor) ── labels
       └─── augmentation
"""
