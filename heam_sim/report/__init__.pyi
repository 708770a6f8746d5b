# SPDX-License-Identifier: MIT
# Read by type checkers, and at run time by __init__.py: each name is imported when it is first used.
from .page import report_html as report_html
from .page import write_report as write_report
