"""The rules of SMTP: what to say, and what follows from an answer.

What it is for: everything that decides. What it refuses: a socket, TLS, a thread and a clock, which an import
contract holds. Its law: the same answers lead to the same outcomes, however they came.

::

    protocol.py  replies, commands, capabilities
    auth.py      the words of a login
    login.py     from the greeting to the login, as flows
    message.py   one message in flight
    pipeline.py  messages on their way over one connection, by DATA
    by_bdat.py   the same by BDAT
    course.py    what ends a run or slows it
"""
