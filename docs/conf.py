"""Sphinx settings."""

from __future__ import annotations

import enum
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

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

# In docstrings, single backticks are code.
default_role = "literal"
# Everything public is imported from the top, so the module of a name is noise.
add_module_names = False
python_use_unqualified_type_names = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# Types are named in signatures; links to every foreign one would need the network to build.
nitpicky = False


def _show_choices(
    _app: Sphinx,
    _what: str,
    _name: str,
    member: object,
    skipped: bool,  # noqa: FBT001 - Sphinx hands it over like this
    _options: object,
) -> bool | None:
    """Show every choice of an enumeration, also one whose name says it all."""
    return False if skipped and isinstance(member, enum.Enum) else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-skip-member", _show_choices)
