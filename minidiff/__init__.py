"""minidiff: diffusion models from scratch in plain PyTorch. The source is the tutorial.

    theory/       the idea: schedule, noise, losses, samplers, guidance, flows; imports only torch
    network/      the UNet and its building blocks
    data/         labelled images as tensors, and prompts as vectors
    editing/      what can be done while sampling: image to image, inpainting, illusions
    models/       a network under one contract; from prompts to images
    training/     recipes, the loop, several GPUs
    evaluation/   numbers and figures that show whether a model is good
    files/        checkpoints, runs, images
    system/       the hardware and the command line
    api/          all of it from Python: load, sample, edit, train, evaluate, save
    weights/      the shipped weights

Read the chapters in order; each ends by naming the next file. The first is train/first.py, the
whole idea on one page.

    1  train/first.py           5  models/model.py        9  models/generate.py
    2  theory/schedule.py       6  training/loop.py
    3  theory/diffusion.py      7  theory/samplers.py
    4  network/unet.py          8  theory/guidance.py

Theory and network never import each other. They meet in one contract (models/model.py):

    eps_hat = model(x_t, t, cond)      x_t (B,C,H,W) float; t (B,) int64 in 1..T

"DDPM (4)" is equation 4 of "Denoising Diffusion Probabilistic Models", arXiv:2006.11239; "DDIM" is
"Denoising Diffusion Implicit Models", arXiv:2010.02502; "improved DDPM" is arXiv:2102.09672.

Names are the papers' symbols in ASCII. What others call them:

    here          papers        elsewhere
    x_0, x_t      x_0, x_t      original_samples, sample, x_start
    eps, eps_hat  ε, ε_θ        noise, noise_pred, model_output
    x_0_hat       x̂_0           pred_original_sample, pred_xstart
    t             t = 1..T      timestep = t - 1
    T             T             num_train_timesteps
    s             t - 1         prev_timestep; here any s < t
    beta          β_t           betas[t - 1]; as a variance "fixed_large"
    alpha         α_t           alphas[t - 1]; here ᾱ_t / ᾱ_s for any s < t
    alpha_bar     ᾱ_t           alphas_cumprod[t - 1]; the DDIM paper writes α_t
    beta_tilde    β̃_t           posterior_variance, "fixed_small"
    sigma, z      σ, z          standard deviation of noise; noise added in a step
    eta           η             eta
    gamma         w = γ - 1     guidance_scale, cfg_scale = γ
    p_uncond      p_uncond      class_dropout_prob, cond_drop_prob
    cond          c, y          encoder_hidden_states, class_labels

Only in theory/flow.py, x_0 is the noise, x_1 the image, t a float from 0 to 1, and the network
returns v_hat, a velocity: the names of the papers on flows.
"""

from importlib import import_module

_PLACES = {  # public name: where it is defined; imported when it is first used
    "theory.schedule": "Schedule cosine evenly linear strided",
    "theory.diffusion": "denoising_loss noise_loss predict_x_0 q_sample",
    "theory.samplers": "ddim_step ddpm_step sample trajectory",
    "theory.guidance": "drop_condition guided until",
    "theory.flow": "euler_step flow_loss flow_sample flow_trajectory pure_noise_loss",
    "network.unet": "UNet",
    "editing.views": "VIEWS",
    "editing.blur": "gaussian_blur",
    "editing.image_to_image": "one_step sdedit",
    "models.generate": "generate",
    "api.pipeline": "load show",
    "api.edits": "anagram anagram_states edit edit_states hybrid hybrid_states inpaint "
                 "inpaint_states interpolate interpolate_states",
    "api.measuring": "evaluate",
    "api.training": "train",
    "models.zoo": "load_model",
}
_HOME = {name: module for module, names in _PLACES.items() for name in names.split()}
__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'minidiff' has no attribute {name!r}")
    return getattr(import_module(f"minidiff.{_HOME[name]}"), name)


def __dir__():
    return [*globals(), *__all__]
