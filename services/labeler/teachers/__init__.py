"""Who changes the programs: rules, a chat model, a policy that completes them, or a mix.

    teacher ◄── rules
            ◄── chat    ── prompts, replies, grafting ──► questions ── endpoint ──► a model's server
            ◄── rollout ── completion prompts        ──►
            ◄── mix     ── several of them

None of them is believed: programs are run, and the verdict is the label. docs/adr/0033, docs/adr/0034.
"""

from services.labeler.teachers.allowed import Allowed
from services.labeler.teachers.hiring import School, hired
from services.labeler.teachers.prompts import Prompts
from services.labeler.teachers.teacher import Lesson, Taught, Teacher

__all__ = ["Allowed", "Lesson", "Prompts", "School", "Taught", "Teacher", "hired"]
