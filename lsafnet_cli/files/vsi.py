"""Translation of rasterio's names to GDAL's virtual file systems: /vsizip/, /vsicurl/ and the like."""

import re
from pathlib import Path

SCHEMES = {
    "file": "", "zip": "vsizip", "tar": "vsitar", "gzip": "vsigzip", "http": "vsicurl", "https": "vsicurl",
    "ftp": "vsicurl", "s3": "vsis3", "gs": "vsigs", "az": "vsiaz", "oss": "vsioss",
}  # fmt: skip
URL = re.compile(r"^([a-z0-9+]+):(?://)?(.*)$", re.IGNORECASE | re.DOTALL)
DRIVE = re.compile(r"^[a-zA-Z]:")  # of a Windows path, and no scheme
ARCHIVES = ("zip", "tar", "gzip")


def vsi_name(name: str) -> str:
    """Return GDAL's name of a path or URL, absolute if it is a local file."""
    found = _from_url(name)
    if found.startswith("/vsi") or DRIVE.match(found) or ":" in found.split("/")[0]:
        return found
    return str(Path(found).absolute())


def _from_url(name: str) -> str:
    url = None if DRIVE.match(name) else URL.match(name)
    schemes = url[1].lower().split("+") if url is not None else []
    if url is None or not all(scheme in SCHEMES for scheme in schemes):
        return name  # a path, or a name such as NETCDF:file:variable that GDAL knows
    place = url[2]
    prefix = "".join(f"/{SCHEMES[scheme]}" for scheme in schemes if SCHEMES[scheme])
    if SCHEMES[schemes[-1]] == "vsicurl":
        place = f"{schemes[-1]}://{place}"
    if schemes[0] in ARCHIVES:
        archive, mark, member = place.rpartition("!")
        place = f"{archive}/{member.lstrip('/')}" if mark else place
    return f"{prefix}/{place}" if prefix else place
