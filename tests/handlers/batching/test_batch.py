"""What a user reads about batches."""

import pydoc

from millstream.handlers.batching import ProcessBatch


def test_help_says_what_process_batch_takes_and_may_raise():
    """Whoever writes one finds argument, answer and errors in its `help()`."""
    text = pydoc.render_doc(ProcessBatch, renderer=pydoc.plaintext)

    assert "__call__(self, batch: 'Batch', /) -> 'BatchResult | None'" in text
    assert "PermanentError: " in text
    assert "the outcome per message" in text
