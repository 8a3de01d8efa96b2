from .workbench import Source as Source
from .workbench import Workbench as Workbench
