"""Pack the built site into one zip that opens from disk: _build/kexue-book.zip, the same bytes for the same site."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 60_000_000  # bytes


def pack(site: Path, target: Path) -> int:
    """Write every file of ``site`` into ``target`` in sorted order with a fixed date; return the size in bytes."""
    part = target.with_name(target.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(p for p in site.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo("kexue-book/" + path.relative_to(site).as_posix(), (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, path.read_bytes())
    part.replace(target)
    return target.stat().st_size


def main() -> None:
    target = ROOT / "_build" / "kexue-book.zip"
    size = pack(ROOT / "_build" / "html", target)
    print(f"{target.relative_to(ROOT)}: {size / 1e6:.1f} MB")
    if size > LIMIT:
        sys.exit(f"{size:,} bytes are more than the {LIMIT:,} allowed")


if __name__ == "__main__":
    main()
