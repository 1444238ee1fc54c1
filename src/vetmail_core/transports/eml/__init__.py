"""Writes emails into a folder, one file each, to look at instead of sending.

For rehearsing a run, keeping what would have been sent, and handing mail to programs that read `.eml`
files. A `.eml` is the message as it would go over the wire, so blind-copy recipients are in the record
beside it, never in it. No file is overwritten or left half written.

The folder, for whoever reads it::

    outbox/
      000001-sam-example-com.eml     the message: CRLF lines, Date and Message-ID stamped, never a Bcc
      000001-sam-example-com.json    beside it, what the message does not say; see below
      000002-pat-example-com.eml
      000002-pat-example-com.json

- File names sort in sending order. They hold a number of six digits (beyond 999,999 a letter and seven or
  more: `a1000000`), a hyphen and the first recipient in To or Cc, in `[a-z0-9-]` alone; a blind copy gives
  `undisclosed-recipients`, because a file name is read by everybody.
- A run goes on behind the highest number it finds. Programs that write at the same moment never share a
  file name; each keeps its own order.
- The `.json` is an object: `schema` (1), `status` (`handed_over`), `written` (ISO 8601, UTC), `key`,
  `message_id`, `date`, `sender`, `to`, `cc`, `bcc`, `reply_to` (lists of `"Name" <address>`), `headers`,
  `subject`, and `added_line_end` (`text`, `html`: whose last line end is the message's, not the text's).
- The `.eml` appears last and in one step: where there is a `.eml`, both files are complete. A `.json` alone
  is a write that was killed, and a reader passes it over.
- Files and the folders made for them can be read by their owner alone (0600, 0700).
"""

from __future__ import annotations

from vetmail_core.transports.eml.reading import StoredEmail, read_folder
from vetmail_core.transports.eml.writing import EmlTransport

__all__ = ["EmlTransport", "StoredEmail", "read_folder"]
