"""The PyTorch twin: timm's backbones, our heads, one worker process. Imports `protocols` only."""
