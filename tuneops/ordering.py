"""Giving an order, from the API as from the page: for whom it is, with its entry in the audit."""

import uuid
from collections.abc import Callable
from datetime import datetime

from tuneops import approval, documents, rollback, suspending
from tuneops.approval import ApprovalOrder
from tuneops.audit.entry import Caller, make_entry
from tuneops.audit.journal import audited
from tuneops.desired import Desired
from tuneops.going_back import RefusedError
from tuneops.names import PROJECT_KEY, environment_of, is_preview, matches
from tuneops.rollback import Answer, Order, RollbackOrder, UnknownProjectError
from tuneops.rollout.approval_text import what_text
from tuneops.services import NoSourceError, Services
