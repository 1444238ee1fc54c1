"""The command line: ``python -m vetmail_core send | preview | check | paths``.

What it is for: the main job from a shell, with files in and a table out. What it refuses: to decide
anything; every decision is the library's. Its law: the exit status tells the truth: 0 all went,
1 some did not (they are listed), 2 nothing could be tried (one line says why).
"""
