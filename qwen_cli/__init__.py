"""qwen-cli: one prompt in, one whole answer out, and an exit status to believe."""

__version__ = "0.1.0"
