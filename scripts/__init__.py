"""What developers and CI run. `python -m scripts.generate` writes what is made from the declarations of the options."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
"""The project's folder."""
