"""Formulas as MathML: set as they are meant, or refused."""

import xml.etree.ElementTree as ElementTree

import pytest

from figures.book import formula


def drawn(node):
    """Write MathML in one line: √[..] root, [..]/[..] fraction, x_[..] index, x^[..] power."""
    parts = [drawn(child) for child in node]
    if node.tag in ("mrow", "math"):
        return "".join(parts)
    shapes = {"msqrt": "√[{}]", "mfrac": "[{}]/[{}]", "msub": "{}_[{}]", "msup": "{}^[{}]",
              "munder": "{}_[{}]", "mover": "{}{}"}
    return shapes[node.tag].format(*parts) if node.tag in shapes else node.text or ""


@pytest.mark.parametrize("written, set_as", [
    ("x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) noise",
     "x_[t]=√[1−β_[t]]x_[t−1]+√[β_[t]]noise"),
    ("x_0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t)",
     "x_[0]=[x_[t]−√[1−α¯_[t]]ε]/[√[α¯_[t]]]"),
    ("sqrt(alpha_bar_s) beta / (1 - alpha_bar_t) · x_0_hat", "[√[α¯_[s]]β]/[1−α¯_[t]]·x^_[0]"),
    ("= beta_tilde = (1 - alpha_bar_s) / (1 - alpha_bar_t) beta",
     "=β~=[1−α¯_[s]]/[1−α¯_[t]]β"),
    ("f(t) = cos²((t/T + offset) / (1 + offset) · π/2)",
     "f(t)=cos^[2]([t/T+offset]/[1+offset]·π/2)"),
    ("eps_hat = sum over i of filter_i( eps_i(x_t, t) )", "ε^=∑_[i]filter_[i](ε_[i](x_[t],t))"),
    ("|m_1 - m_2|² + tr(C_1 - 2 (C_1 C_2)^{1/2})",
     "|m_[1]−m_[2]|^[2]+tr(C_[1]−2(C_[1]C_[2])^[1/2])"),
    ("x_0_hat ← A⁺ (low − A x_0_hat)", "x^_[0]←A^[+](low−Ax^_[0])"),
    ("z <- c1 * z + ½ t_300", "z←c_[1]·z+½t_[300]"),
    ("alpha_1 alpha_2 ... alpha_t", "α_[1]α_[2]…α_[t]"),
    ("q_sample(x_0, s), s <= 1e-3", "q_sample(x_[0],s),s≤1e-3"),
    ("-2 log q(x_s | x_t) + C", "−2logq(x_[s]|x_[t])+C"),
    ("∇ log p(x_t) = -E[eps | x_t] / sqrt(1 - ab_t)",
     "∇logp(x_[t])=−[E[ε|x_[t]]]/[√[1−α¯_[t]]]"),
    ("A E[eps epsᵀ] Aᵀ = I", "AE[εε^[T]]A^[T]=I"),
    ("KL = w_t |eps_hat - eps|² + ½ h² cos(phi)", "KL=w_[t]|ε^−ε|^[2]+½h^[2]cos(φ)"),
])
def test_formulas_are_set_as_they_are_meant(written, set_as):
    """Roots extend over their brackets; a fraction has all factors before it, one after."""
    assert drawn(ElementTree.fromstring(formula.math(written))) == set_as


def test_words_next_to_a_formula_stay_words():
    """A cell with a comma outside brackets before its sign is no formula."""
    shown = formula.display("eps = a b       guidance (6), with gamma = w + 1", str.upper)
    assert "GUIDANCE (6), WITH GAMMA = W + 1" in shown and shown.count("<math") == 2
    assert formula.display("q(x_s | x_t, x_0) = a", str.upper).count("<math") == 2


@pytest.mark.parametrize("written", ["(x", "x)", "x: y", '"x"', "x_", "^2", ""])
def test_what_cannot_be_read_is_refused(written):
    """A ValueError, so that no formula is set by half."""
    with pytest.raises(ValueError):
        formula.math(written)
