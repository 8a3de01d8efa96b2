from .finding import find_folder as find_folder
from .finding import project_folder as project_folder
from .finished import FinishedStudy as FinishedStudy
from .finished import read_study as read_study
from .own_code import trust_study as trust_study
from .run import StudyRun as StudyRun
from .run import open_study as open_study
from .study import Study as Study
