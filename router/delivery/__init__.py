"""What a message is, and when it is settled."""

from .assignment import Assignment
from .context import Context, DeadlineExceeded, Scope
from .hold import Hold
from .message import Message
from .offset_book import OffsetBook

__all__ = ["Assignment", "Context", "DeadlineExceeded", "Hold", "Message", "OffsetBook", "Scope"]
