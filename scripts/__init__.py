"""What developers and CI run. `python -m scripts.generate` writes what is made from the declarations of the options."""
