"""A stand-in for nvidia-smi, which lists GPUs that aren't there."""

import os

A, B = "GPU-c0d51234-0000-4000-8000-00000000000a", "GPU-c0ffee00-0000-4000-8000-00000000000b"
MIG = "MIG-5fbd8b3f-0000-4000-8000-00000000000", "MIG-7c1e92d0-0000-4000-8000-00000000000"
TWO = f"GPU 0: NVIDIA A (UUID: {A})\nGPU 1: NVIDIA B (UUID: {B})\n"
DIVIDED = f"""\
GPU 0: NVIDIA A (UUID: {A})
  MIG 3g.20gb     Device  0: (UUID: {MIG[0]})
  MIG 1g.5gb      Device  1: (UUID: {MIG[1]})
GPU 1: NVIDIA B (UUID: {B})
"""
SCRIPT = """\
#!/bin/sh
case "$*" in
    -L) cat {listing}; exit {code};;
    "-i "*" --query-gpu=memory.free "*) echo "$2" | grep -qx '{uuids}' && echo "1024 MiB";;
esac
"""


def put(monkeypatch, folder, listing=TWO, code=0, visible=None):
    """Makes `nvidia-smi -L` print this and end with this code, and sets CUDA_VISIBLE_DEVICES."""
    (folder / "listing").write_text(listing, encoding="utf-8")
    script = folder / "nvidia-smi"
    uuids = f"{A}\\|{B}"  # as the real one, it takes no beginning of a UUID
    text = SCRIPT.format(listing=folder / "listing", code=code, uuids=uuids)
    script.write_text(text, encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
