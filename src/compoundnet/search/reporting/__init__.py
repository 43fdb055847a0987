"""The report of a search: what its trials say, as one value; and its files."""

from .report import Report as Report
from .report import report_of as report_of
from .sources import Kept as Kept
from .sources import read_kept as read_kept
from .writing import write_report as write_report
