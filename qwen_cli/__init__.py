"""qwen-cli: ask a language model from the command line."""

__version__ = "0.3.0"
