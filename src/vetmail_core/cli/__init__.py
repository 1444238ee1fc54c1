"""The command line: ``python -m vetmail_core send | preview | check | paths``.

Every decision is the library's. The exit status is 0 when all went out, 1 when some did not (they are
listed), and 2 when nothing could be tried (one line says why).
"""
