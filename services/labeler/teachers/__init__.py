"""Who changes the programs: rules, a chat model, a policy that completes them, or a mix.

    teacher ◄── rules
            ◄── chat    ── prompts, replies, grafting ──► questions ── endpoint ──► a model's server
            ◄── rollout ── completion prompts        ──►
            ◄── mix     ── several of them

None of them is believed: programs are run, and the verdict is the label. docs/adr/0033, docs/adr/0034.
"""

from services.labeler.teachers.rules import Rules
from services.labeler.teachers.teacher import Lesson, Taught, Teacher

__all__ = ["Lesson", "Rules", "Taught", "Teacher"]
