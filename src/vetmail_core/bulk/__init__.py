"""One email for each person, decided before anything is sent.

What it is for: a mailing to a class, an intake or a whole college: who gets an email, who gets a copy, who
is left out and why. What it refuses: to copy a private mail, and to leave anybody out without a reason. Its
law: the preview and the run walk the same plan, so they cannot differ.
"""

from __future__ import annotations

from vetmail_core.bulk.plan import BulkPlan, plan_bulk
from vetmail_core.bulk.summary import PlanSummary

__all__ = ["BulkPlan", "PlanSummary", "plan_bulk"]
