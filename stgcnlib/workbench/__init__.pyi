from .explore import explore as explore
from .workbench import Source as Source
from .workbench import Workbench as Workbench
