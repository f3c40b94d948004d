"""The labeler: process labels for reference solutions, by mutation, refactoring and execution.

app ── routes ── service ── storage        what a client asks, and what is kept
                    └────── broker ──► worker ── tasks ── batch
batch ── labeling ── reference (augmentation) ── teachers (rules, or a model) ── judging ── labels
             └────── verification ──► executor
app ── page_routes ── page_service ── service, storage          the page for people
"""
