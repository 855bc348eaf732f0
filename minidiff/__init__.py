"""minidiff: diffusion models from scratch in plain PyTorch. The source is the tutorial.

Read it in this order. Every file opens with its lecture, which ends by naming the next; in all but
the plumbing exercises come before that, each with the test or figure that holds the answer.

    the theory     schedule   how much of the picture is left at step t
                   diffusion  add noise; undo it algebraically; the two losses
                   guidance   drop the condition, mix two predictions
    the network    blocks     the bricks
                   unet       the bricks put together
    the walk       samplers   from noise to data
                   views      ways to look at a picture
                   editing    what can be done on the way
    another way    flow       from noise to data along straight lines
                   flow_sampler   and how to follow them
    the digits     strokes    drawn by a pen
                   torchvision_ops, data   real ones, as one tensor on the device
    the training   machine, files, cli, config, settings
                   trainer    the loop
                   parallel   the same on several GPUs or machines
    the workshop   photos, images, classifier, checkpoint, runs
                   shipped    the weights that come with the project
                   models     a file becomes a model that can be prompted
    the proof      evaluate   how good are the digits
                   gallery    the pictures that tell
    the sequel     upsampler  a second stage, that draws it all again twice as large
                   hub, embeddings, deepfloyd   a large model of sentences, optional

Theory and network never import each other. They meet in one contract:

    eps_hat = model(x_t, t, cond)      x_t (B,C,H,W) float; t (B,) int64 in 1..T
    v_hat   = model(x_t, t, cond)      of a flow; t (B,) float, 0 (noise) .. 1 (data)

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
    sigma, z      σ, z          deviation of the noise in one step, or of the denoiser's; the noise
    v             v             the network's second output, which tells a variance: "learned_range"
    eta           η             eta
    gamma         w = γ - 1     guidance_scale, cfg_scale = γ
    p_uncond      p_uncond      class_dropout_prob, cond_drop_prob
    cond          c, y          encoder_hidden_states, class_labels

In flow and flow_sampler alone x_0 is the noise, x_1 the picture, t a float from 0 to 1, and the
network returns v_hat, a velocity: the names of the papers on flows.
"""

from minidiff.diffusion import denoising_loss, noise_loss, predict_x_0, q_sample
from minidiff.editing import VIEWS, anagram, gaussian_denoise, hybrid, inpaint, one_step, sdedit
from minidiff.flow import blind_loss, flow_loss, interpolate
from minidiff.flow_sampler import euler_step, flow_path
from minidiff.guidance import drop_condition, guided, until
from minidiff.samplers import ddim_step, ddpm_step, sample, sample_path
from minidiff.schedule import Schedule, cosine, evenly, linear, strided
from minidiff.unet import UNet

__all__ = [
    "VIEWS", "Schedule", "UNet", "anagram", "blind_loss", "cosine", "ddim_step", "ddpm_step",
    "denoising_loss", "drop_condition", "euler_step", "evenly", "flow_loss", "flow_path",
    "gaussian_denoise", "guided", "hybrid", "inpaint", "interpolate", "linear", "noise_loss",
    "one_step", "predict_x_0", "q_sample", "sample", "sample_path", "sdedit", "strided", "until",
]
