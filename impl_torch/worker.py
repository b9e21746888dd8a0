"""The PyTorch worker process: python -m impl_torch.worker (protocols.serve has the messages)."""

from impl_torch.device import seen
from impl_torch.train import train
from protocols.serve import serve

if __name__ == "__main__":
    serve(seen(), train)
