from .html import render_report as render_report
from .study import run_study as run_study
from .verdict import show_shortages as show_shortages
from .verdict import show_verdict as show_verdict
from .verdict import show_verdicts as show_verdicts
