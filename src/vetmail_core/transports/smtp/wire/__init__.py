"""The wire below the rules of SMTP: octets, deadlines and TLS.

Octets get out and in, for one connection or several at once. Nothing waits longer than its deadline.

::

    waiting.py     for one line or for several
    connecting.py  from a name to an open line
    ends.py        what stands at either end
    handshake.py   from an open line to TLS
    connection.py  deadlines, and how many octets have left
    transcript.py  what was said
"""
