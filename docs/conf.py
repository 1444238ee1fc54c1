"""Sphinx settings."""

from __future__ import annotations

import tomllib
from pathlib import Path

_settings = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
_project = _settings["project"]

project = "vetmail_core"
author = "The vetmail_core developers"
copyright = "2026, The vetmail_core developers"
version = release = _project["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_title = f"vetmail_core {version}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Prose quotes texts of programs: "" is an empty one.
smartquotes = False

# In docstrings a name in single backticks is a link to it where it is documented.
default_role = "py:obj"
# Everything public is imported from the top, so the module of a name is noise.
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# Types are named in signatures; links to every foreign one would need the network to build.
nitpicky = False
