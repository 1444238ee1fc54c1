"""People out of the files that offices keep: CSV in any of its forms, and .xlsx workbooks.

::

    reading.py   read_people, its one door, and what it gives
    charset.py   which characters the octets of a CSV file are
    table.py     the records of a CSV file, and what separates their values
    workbook.py  the records of an .xlsx workbook
    titles.py    which column is what
    cells.py     a person out of a record
    faults.py    the error with every mistake of a file
"""

from __future__ import annotations

from vetmail_core.people_file.faults import PeopleFileError
from vetmail_core.people_file.reading import PeopleFile, read_people

__all__ = ["PeopleFile", "PeopleFileError", "read_people"]
