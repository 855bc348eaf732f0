# minidiff: every target brings up what it needs, so a first command on a fresh machine is enough.
# Flags are passed on with ARGS, for example:  make train-uncond ARGS="--epochs 10 --seed 1"

PYTHON ?= python3
ARGS   ?=
ONLY   ?=
MODEL  ?=
MODEL_DIR ?=
PEERS  ?=
PY     := .venv/bin/python
READY  := .venv/ready
REFEREE := .venv/referee
LARGE  := .venv/deepfloyd
RIVALS := .venv-peers

.DEFAULT_GOAL := help
.PHONY: help setup toy train-denoiser train-uncond train-class train-flow train-flow-uncond train-upsampler train-classifier sample-uncond sample-class sample-flow sample-denoise sample-sdedit sample-inpaint sample-anagram sample-hybrid evaluate sweep versus figures book bench ablation speedrun test test-diffusers test-deepfloyd setup-deepfloyd lint clean

help:             ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  flags: make <target> ARGS="--flag value"; make <target> ARGS=--help lists them'

setup: $(READY)   ## make .venv with the pinned packages (other targets do it by themselves)

toy: $(READY)             ## diffusion on points in the plane, trained in seconds
	@$(PY) -m sample.toy $(ARGS)

train-denoiser: $(READY)  ## train the single-step denoiser
	@$(PY) -m train.denoiser $(ARGS)

train-uncond: $(READY)    ## train the time-conditioned diffusion model
	@$(PY) -m train.uncond $(ARGS)

train-class: $(READY)     ## train the class-conditioned diffusion model
	@$(PY) -m train.class_cond $(ARGS)

train-flow: $(READY)      ## train a flow, class-conditioned: velocities instead of noise
	@$(PY) -m train.flow $(ARGS)

train-flow-uncond: $(READY)  ## train a flow that is asked for nothing
	@$(PY) -m train.flow_uncond $(ARGS)

train-upsampler: $(READY) ## train the second stage, 28 to 56 pixels
	@$(PY) -m train.upsampler $(ARGS)

train-classifier: $(READY)  ## train the digit classifier, and let it read strokes
	@$(PY) -m train.classifier $(ARGS)

sample-uncond: $(READY)   ## draw digits from noise with the newest time-conditioned model
	@$(PY) -m sample.uncond $(ARGS)

sample-class: $(READY)    ## draw the digits you ask for with the newest class-conditioned model
	@$(PY) -m sample.class_cond $(ARGS)

sample-flow: $(READY)     ## draw the digits you ask for by following a flow
	@$(PY) -m sample.flow $(ARGS)

sample-denoise: $(READY)  ## noise a picture, and get it back by blur, in one step, in many
	@$(PY) -m sample.denoise $(ARGS)

sample-sdedit: $(READY)   ## draw a picture anew, near to yours
	@$(PY) -m sample.sdedit $(ARGS)

sample-inpaint: $(READY)  ## fill a hole in a picture
	@$(PY) -m sample.inpaint $(ARGS)

sample-anagram: $(READY)  ## draw one picture that is something else when it is turned
	@$(PY) -m sample.anagram $(ARGS)

sample-hybrid: $(READY)   ## draw one picture that is something else from afar
	@$(PY) -m sample.hybrid $(ARGS)

evaluate: $(READY)        ## measure samples: accuracy, Frechet distance, copying
	@$(PY) -m sample.evaluate $(ARGS)

sweep: $(READY)           ## measure guidance, steps and samplers at many settings
	@$(PY) -m sample.sweep $(ARGS)

versus: $(READY)          ## measure a flow against a diffusion at equal steps
	@$(PY) -m sample.versus $(ARGS)

figures: $(READY)         ## build the page, figures/out/index.html (some: make figures ONLY="inpaint anagram")
	@$(PY) -m figures $(if $(ONLY),--only "$(ONLY)") $(if $(MODEL),--model $(MODEL)) \
	$(if $(MODEL_DIR),--model-dir "$(MODEL_DIR)") $(ARGS)

book: $(READY)            ## the source as a book to read in a browser, docs/book/index.html
	@$(PY) -m figures.book $(ARGS)

bench: $(READY) $(if $(PEERS),$(RIVALS)/ready)  ## measure speed against plain and the machine's limits (PEERS=1: and other libraries)
	@$(if $(PEERS),$(RIVALS)/bin/python,$(PY)) -m train.bench $(if $(PEERS),--peers) $(ARGS)

ablation: $(READY)        ## measure what each technique of speed is worth
	@$(PY) -m train.ablation $(ARGS)

speedrun: $(READY)        ## the shortest training that reaches 99% and a ratio of 5, five seeds
	@$(PY) -m train.speedrun $(ARGS)

test: lint                ## run the tests (CPU, offline)
	@$(PY) -m pytest $(ARGS)

test-diffusers: $(REFEREE)  ## check our samplers against the diffusers library
	@$(PY) -m pytest tests/test_against_diffusers.py $(ARGS)

test-deepfloyd: $(LARGE)  ## check our loader and sampler against DeepFloyd's own pipelines
	@$(PY) -m pytest tests/test_against_deepfloyd.py tests/test_deepfloyd.py \
	tests/test_course.py tests/test_hub.py $(ARGS)

setup-deepfloyd: $(LARGE) ## install what DeepFloyd needs (no weights)

lint: $(READY)            ## check the style
	@$(PY) -m ruff check .

clean:                    ## remove .venv and the caches; runs and data stay
	rm -rf .venv $(RIVALS) *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 10) <= v < (3, 14) else \
	"minidiff wants Python 3.10 to 3.13, got %d.%d; run: make $(MAKECMDGOALS) PYTHON=python3.12" % v[:2])'
	@$(PY) -m pip --version >/dev/null 2>&1 || { rm -rf .venv; $(PYTHON) -m venv .venv; }
	@echo "installing the pinned packages into .venv (once)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(REFEREE): $(READY)
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,referee]'
	@touch $@

$(LARGE): $(READY)
	@echo "installing what DeepFloyd needs (once)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,deepfloyd]'
	@touch $@

$(RIVALS)/ready: $(READY)  # sees the packages of .venv, and has the other libraries besides
	@$(PY) -m venv $(RIVALS)
	@$(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	> "$$($(RIVALS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ours.pth"
	@echo "installing other libraries into $(RIVALS) (once)"
	@$(RIVALS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	diffusers denoising-diffusion-pytorch smalldiffusion
	@touch $@
