"""The curve: how the error falls with depth, width and resolution, one form that saturates, and its derivatives.

error / error of the base = floor + (1 - floor) * C^q,  C = sum_i share_i * x_i^(-p_i),

with x = (depth, width, resolution) relative to the base, p = curvature * (1, 2, 2) and sum_i share_i = 1. The larger
the curvature, the sooner one dimension alone saturates: with curvature -> 0 this is the product A * d^-a * w^-b * r^-c,
with q = 1 it is the sum of one power a dimension. It falls in every dimension. C^q is a production function with
constant elasticity of substitution (Arrow et al. 1961). ``slope_i = (1 - floor) * q * share_i * p_i`` is the elasticity
of the error at the base.

What rounding and fixed parts add to a network shows in its multiply-adds: ``excess`` is the logarithm of
macs / (macs of the base * d * w^2 * r^2). A share of it counts as growth in all three dimensions alike.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.float64]
NAMES = ("floor", "depth", "width", "resolution", "curvature", "excess")
# How often each dimension enters the multiply-adds: d * w^2 * r^2.
MACS_POWERS: Numbers = np.array([[1.0], [2.0], [2.0]])
MACS_POWERS.setflags(write=False)


def curve(theta: Numbers, logs_3N: Numbers, excess_N: Numbers) -> tuple[Numbers, Numbers]:
    """The logarithm of error / error of the base, shape (N,), and its derivatives by ``theta``, shape (6, N).

    ``theta`` has, as NAMES lists them, the logit of the floor, the logarithms of the three slopes and of the
    curvature, and the share of the excess that counts.
    """
    floor = 1 / (1 + np.exp(-theta[0]))
    p_31 = np.exp(theta[4]) * MACS_POWERS
    a_31 = np.exp(theta[1:4, None]) / (1 - floor) / p_31  # q * share
    q = float(a_31.sum())
    z_3N = logs_3N.copy()
    z_3N += theta[5] / 3 * excess_N / MACS_POWERS
    terms_3N = np.exp(-p_31 * z_3N)
    total_N = (a_31 * terms_3N).sum(0)
    log_c_N = np.log(total_N / q)
    power_N = np.exp(q * log_c_N)  # C^q
    ratio_N = floor + (1 - floor) * power_N
    by_power_N = (1 - floor) * power_N / ratio_N  # d log(error) / d log(C^q)
    pull_3N = q * terms_3N / total_N
    by_a_3N = by_power_N * (log_c_N + pull_3N - 1) * a_31
    by_z_3N = -by_power_N * p_31 * a_31 * pull_3N
    slopes_6N = np.empty((len(NAMES), len(excess_N)))
    slopes_6N[0] = floor * (by_a_3N.sum(0) + (1 - floor) * (1 - power_N) / ratio_N)
    slopes_6N[1:4] = by_a_3N
    slopes_6N[4] = (by_z_3N * z_3N - by_a_3N).sum(0)
    slopes_6N[5] = (by_z_3N / MACS_POWERS).sum(0) * excess_N / 3
    return np.log(ratio_N), slopes_6N
