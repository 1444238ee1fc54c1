"""One email for each person, decided before anything is sent.

The preview and the run walk the same plan, so they cannot differ. Everybody who is left out has a reason,
and private mail is never copied.
"""

from __future__ import annotations

from vetmail_core.bulk.plan import BulkPlan, plan_bulk
from vetmail_core.bulk.summary import PlanSummary

__all__ = ["BulkPlan", "PlanSummary", "plan_bulk"]
