"""``python -m kexue``."""

from __future__ import annotations

from kexue.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
