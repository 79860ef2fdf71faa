"""How fast `qwen-cli` is, side by side with what people would use instead: `python3 benchmarks/run.py`."""
