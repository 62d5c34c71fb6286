"""Chapter 01: the shape of a skipping rope.

One functional with its length held fixed, and everything that follows: the catenary, the troposkein, the rope on a spinning pole.

- `closed_form`: catenary and troposkein (Jacobi's sn).
- `shooting`: the force balance as an initial value problem, its residual, and the curve as the post computed it.
- `pole`, `pole_scan`: the rope with a free end; every shape at a speed, branches, thresholds.
- `chain`: the same rope as rigid links, by automatic differentiation: descent, Newton's method, index of an equilibrium.
- `fits`: sine, parabola and cubic as stand-ins.

Source:
    Su Jianlin, post 6784 of kexue.fm (2019); A. Nordmark and H. Essén (2007); I. I. Kolodner (1955).
"""

from kexue.mathematics.rope_curve.chain import (
    Descent,
    Spin,
    chain_energy,
    chain_nodes,
    descend,
    gap,
    lagrangian_spectrum,
    newton,
    sine_start,
)
from kexue.mathematics.rope_curve.closed_form import (
    Troposkein,
    catenary,
    catenary_parameter,
    small_slack,
    troposkein,
    troposkein_modulus,
)
from kexue.mathematics.rope_curve.fits import FITS, apex_of_length, fit_error, stand_in
from kexue.mathematics.rope_curve.pole import (
    PoleRope,
    critical_speeds,
    linear_shape,
    onset,
    pole_branch,
    pole_ropes,
    shoot_pole,
)
from kexue.mathematics.rope_curve.pole_scan import scan_pole, trace_pole
from kexue.mathematics.rope_curve.shooting import (
    RopeCurve,
    bernoulli,
    equilibrium_residual,
    integrate_rope,
    posted_curve,
    shoot_troposkein,
)

__all__ = [
    "FITS",
    "Descent",
    "PoleRope",
    "RopeCurve",
    "Spin",
    "Troposkein",
    "apex_of_length",
    "bernoulli",
    "catenary",
    "catenary_parameter",
    "chain_energy",
    "chain_nodes",
    "critical_speeds",
    "descend",
    "equilibrium_residual",
    "fit_error",
    "gap",
    "integrate_rope",
    "lagrangian_spectrum",
    "linear_shape",
    "newton",
    "onset",
    "pole_branch",
    "pole_ropes",
    "posted_curve",
    "scan_pole",
    "shoot_pole",
    "shoot_troposkein",
    "sine_start",
    "small_slack",
    "stand_in",
    "trace_pole",
    "troposkein",
    "troposkein_modulus",
]
