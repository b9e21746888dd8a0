"""Adam as Keras computes it, with every number that changes from step to step on the device."""

from typing import Any

import torch


class DeviceAdam(torch.optim.Optimizer):
    """An Adam whose step can be recorded as a CUDA graph; its state has the form of torch's Adam.

    Keras adds epsilon to sqrt(v) before the bias correction, torch after it: there epsilon would be
    another number of the host in each step, and a recording keeps the number that it met.
    """

    def __init__(
        self, parameters: Any, rate: float, betas: tuple[float, float], epsilon: float
    ) -> None:
        # "capturable" has torch keep the counts of a restored state on the device
        words = {"rate": rate, "betas": betas, "epsilon": epsilon, "capturable": True}
        super().__init__(parameters, words)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # takes no closure
        """Makes one step by the gradients that the parameters hold; all of them must have one."""
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["step"] = torch.zeros((), dtype=torch.float32, device=p.device)
                    state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
                state["step"] += 1
                mean, square = state["exp_avg"], state["exp_avg_sq"]
                mean.lerp_(p.grad, 1 - beta1)
                square.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                n = state["step"].double()
                correction = (1 - beta2**n).sqrt() / (1 - beta1**n)
                rate = group["rate"] * correction
                p.sub_(rate * mean / (square.sqrt() + group["epsilon"]))
