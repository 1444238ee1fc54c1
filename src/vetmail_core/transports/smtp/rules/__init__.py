"""The rules of SMTP: what to say, and what follows from an answer.

Everything that decides is here, without a socket, TLS, a thread or a clock; an import contract holds that.
The same answers lead to the same outcomes, however they came.

::

    protocol.py  replies, commands, capabilities
    auth.py      the words of a login
    login.py     from the greeting to the login, as flows
    message.py   one message in flight
    pipeline.py  messages on their way over one connection, by DATA
    by_bdat.py   the same by BDAT
    drift.py     a yes that cannot be the answer to a text
    course.py    what ends a run or slows it
"""
