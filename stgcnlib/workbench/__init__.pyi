from .background import Background as Background
