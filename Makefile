# minidiff: every target does its own set-up, so any of them can be run first on a new machine.
# ARGS passes flags on, for example:  make train-uncond ARGS="--epochs 10 --seed 1"

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
PLAY   := .venv/play
RIVALS := .venv-peers

.DEFAULT_GOAL := help
.PHONY: help setup first toy \
	train-denoiser train-uncond train-class train-flow train-flow-uncond train-upsampler train-classifier \
	train-doodles train-doodles-upsampler doodles sample-uncond sample-class sample-doodles sample-flow sample-denoise sample-sdedit sample-inpaint sample-interpolate sample-anagram \
	sample-hybrid play tour evaluate sweep versus illusions figures book bench ablation speedrun gpu-check \
	test test-diffusers test-deepfloyd test-deepfloyd-full test-play setup-deepfloyd lint clean

help:             ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  flags: make <target> ARGS="--flag value"; make <target> ARGS=--help lists them'

setup: $(READY)   ## install the pinned packages into .venv (every target does this itself)

first: $(READY)           ## chapter 1: data, loss, training, sampling and guidance on one page
	@$(PY) -m train.first

toy: $(READY)             ## diffusion on points in the plane, trained in seconds
	@$(PY) -m sample.toy $(ARGS)

train-denoiser: $(READY)  ## train the single-step denoiser
	@$(PY) -m train.denoiser $(ARGS)

train-uncond: $(READY)    ## train the time-conditioned diffusion model
	@$(PY) -m train.uncond $(ARGS)

train-class: $(READY)     ## train the class-conditioned diffusion model
	@$(PY) -m train.class_cond $(ARGS)

train-flow: $(READY)      ## train a class-conditioned flow: it predicts velocities instead of noise
	@$(PY) -m train.flow $(ARGS)

train-flow-uncond: $(READY)  ## train an unconditional flow
	@$(PY) -m train.flow_uncond $(ARGS)

train-upsampler: $(READY) ## train the second stage, which enlarges 28x28 to 56x56
	@$(PY) -m train.upsampler $(ARGS)

doodles: $(READY)         ## write the doodles, the drawn training images, to sheets of every subject and medium
	@$(PY) -m minidiff.data.doodles $(ARGS)

train-doodles: $(READY)   ## train the doodle model: coloured images from sentences
	@$(PY) -m train.doodles $(ARGS)

train-doodles-upsampler: $(READY)  ## train the doodles' second stage, 32x32 to 64x64
	@$(PY) -m train.doodles_upsampler $(ARGS)

train-classifier: $(READY)  ## train the judge of samples; ARGS="--dataset doodles" for doodles
	@$(PY) -m train.classifier $(ARGS)

sample-uncond: $(READY)   ## generate digits with the newest time-conditioned model
	@$(PY) -m sample.uncond $(ARGS)

sample-class: $(READY)    ## generate the digits you name with the newest class-conditioned model
	@$(PY) -m sample.class_cond $(ARGS)

sample-doodles: $(READY)  ## generate coloured images from sentences
	@$(PY) -m sample.doodles $(ARGS)

sample-flow: $(READY)     ## generate the digits you name with the newest flow
	@$(PY) -m sample.flow $(ARGS)

sample-denoise: $(READY)  ## noise an image, then restore it by blurring, in one step and in many
	@$(PY) -m sample.denoise $(ARGS)

sample-sdedit: $(READY)   ## generate a variation of your image
	@$(PY) -m sample.sdedit $(ARGS)

sample-inpaint: $(READY)  ## fill a hole in an image
	@$(PY) -m sample.inpaint $(ARGS)

sample-interpolate: $(READY)  ## generate the images between two images
	@$(PY) -m sample.interpolate $(ARGS)

sample-anagram: $(READY)  ## generate an image that shows something else when it is turned
	@$(PY) -m sample.anagram $(ARGS)

sample-hybrid: $(READY)   ## generate an image that shows something else from a distance
	@$(PY) -m sample.hybrid $(ARGS)

play: $(PLAY)             ## the playground: all of this in the browser
	@test -f docs/book/index.html || $(PY) -m figures.book.book
	@$(PY) -m sample.play $(ARGS)

evaluate: $(READY)        ## measure samples: accuracy, Frechet distance, copying
	@$(PY) -m sample.measure.evaluate $(ARGS)

sweep: $(READY)           ## the same for many settings of guidance, steps and sampler
	@$(PY) -m sample.measure.sweep $(ARGS)

versus: $(READY)          ## measure a flow against a diffusion model at equal numbers of steps
	@$(PY) -m sample.measure.compare $(ARGS)

illusions: $(READY)       ## measure which anagrams and hybrids the doodle model can make
	@$(PY) -m sample.measure.illusions $(ARGS)

figures: $(READY)         ## build the page, figures/out/index.html (ONLY="inpaint anagram": only these; MODEL=class: with digits)
	@$(PY) -m figures $(if $(ONLY),--only "$(ONLY)") $(if $(MODEL),--model $(MODEL)) \
	$(if $(MODEL_DIR),--model-dir "$(MODEL_DIR)") $(ARGS)

book: $(READY)            ## build the source as a book for the browser, docs/book/index.html
	@$(PY) -m figures.book.book $(ARGS)

bench: $(READY) $(if $(PEERS),$(RIVALS)/ready)  ## measure speed against the baseline and the machine's limits (PEERS=1 adds other libraries)
	@$(if $(PEERS),$(RIVALS)/bin/python,$(PY)) -m train.benchmarks.bench $(if $(PEERS),--peers) $(ARGS)

ablation: $(READY)        ## measure what each speed technique is worth
	@$(PY) -m train.benchmarks.ablation $(ARGS)

speedrun: $(READY)        ## time the shortest training whose digits are read correctly in 99% of cases, with five seeds
	@$(PY) -m train.benchmarks.speedrun $(ARGS)

gpu-check: $(READY)       ## check and measure everything on a GPU in under eight minutes; prints one table
	@$(PY) -m train.benchmarks.gpu_check $(ARGS)

test: lint                ## check the style and run the tests (CPU, offline)
	@$(PY) -m pytest -n auto --maxprocesses 8 $(ARGS)

test-diffusers: $(REFEREE)  ## check the samplers against the diffusers library
	@$(PY) -m pytest tests/theory/test_against_diffusers.py $(ARGS)

test-deepfloyd: $(LARGE)  ## check the DeepFloyd loader and sampler against its own pipelines
	@$(PY) -m pytest tests/models/test_against_deepfloyd.py \
	tests/models/test_deepfloyd.py tests/figures/test_course.py tests/models/test_hub.py $(ARGS)

test-deepfloyd-full: $(LARGE)  ## run both stages of DeepFloyd at full size, with random weights (slow; 4 GB of memory)
	@$(PY) -m tests.models.full_deepfloyd

test-play: $(PLAY)-test   ## check the playground in a browser, and run the notebook
	@$(PY) -m pytest tests/sample/test_play_page.py tests/sample/test_tour.py $(ARGS)

tour: $(PLAY)-test        ## run docs/tour.ipynb, and write its outputs into it
	@.venv/bin/jupyter execute --inplace docs/tour.ipynb

setup-deepfloyd: $(LARGE) ## install the packages that DeepFloyd needs (no weights)

lint: $(READY)            ## check the style
	@$(PY) -m ruff check .

clean:                    ## remove .venv and the caches; keep runs and data
	rm -rf .venv $(RIVALS) *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 10) <= v < (3, 14) else \
	"minidiff needs Python 3.10 to 3.13, found %d.%d; run: make $(MAKECMDGOALS) PYTHON=python3.12" % v[:2])'
	@$(PY) -m pip --version >/dev/null 2>&1 || { rm -rf .venv; $(PYTHON) -m venv .venv; }
	@echo "installing the pinned packages into .venv (once)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(REFEREE): $(READY)
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,referee]'
	@touch $@

$(LARGE): $(READY)
	@$(PY) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
	"the libraries for DeepFloyd need Python 3.11 or newer; run: make clean, then make $(MAKECMDGOALS) PYTHON=python3.12")'
	@echo "installing the packages that DeepFloyd needs (once)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,deepfloyd]'
	@touch $@

$(PLAY) $(PLAY)-test: $(READY)
	@echo "installing the packages that the playground needs (once)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,$(@F)]'
	@touch $@

$(RIVALS)/ready: $(READY)  # the packages of .venv, through a .pth file, and the other libraries
	@$(PY) -m venv $(RIVALS)
	@$(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	> "$$($(RIVALS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ours.pth"
	@echo "installing other libraries into $(RIVALS) (once)"
	@$(RIVALS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	diffusers denoising-diffusion-pytorch smalldiffusion
	@touch $@
