"""A flow under the contract: it predicts a velocity, its t is a float, and it has no schedule.

    v_hat = model(x_t, t, cond)       x_t (B,C,H,W) float; t (B,) float, 0 (noise) .. 1 (data)
"""

from minidiff.models.model import Model
from minidiff.theory.flow import flow_trajectory


class FlowModel(Model):
    """A UNet that predicts a velocity, v_hat(x_t, t, cond), t in 0 .. 1. See `Model`."""

    defaults = {"steps": 50, "gamma": 2.0, "guide_until": 0.5}  # measured: less guidance
    ignored = ("sampler", "variance", "eta", "clip")

    def __call__(self, x_t, t, cond=None):
        """Return v_hat, like x_t (B,C,H,W). t: (B,) float, 1 the data. cond: of `embed`."""
        with self.number_format():
            return self.evaluate(x_t, t, cond).float()

    def trajectory(self, velocity_fn, x, steps, *, generator=None):
        """Return the FlowStates from noise x in Euler steps, which add none: no generator."""
        return flow_trajectory(velocity_fn, x, steps)

    def early(self, share, early_fn, late_fn):
        """Return the function that is early_fn while more than this share is left, 1 - t > share,
        and late_fn from t = 1 - share."""
        return lambda x_t, t: (early_fn if t[0] < 1 - share else late_fn)(x_t, t)
