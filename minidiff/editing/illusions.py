"""Illusions: one image that shows two things, as an anagram or as a hybrid.

Anagrams (`anagram`). One image that shows prompt p_1, such as a digit, when seen one way, and p_2
when seen another way, for example upside down (views.py). eps_i is the eps_fn of p_i. Each
prediction is made for the image as its view shows it; the predictions are mapped back and averaged:

    eps_hat = mean over i of view_i⁻¹( eps_i(view_i(x_t), t) )     visual anagrams, section 3

Hybrids (`hybrid`). One image that shows p_1 from a distance and p_2 up close. From a distance one
sees low frequencies only, so eps_1 provides the low frequencies of the noise and eps_2 the high
ones; any filters that sum to the identity will do:

    eps_hat = sum over i of filter_i( eps_i(x_t, t) )              factorized diffusion, section 3

Choices. Guidance is applied before the predictions are combined, separately for each prompt.

Remember: both combine predictions that are exact on their own, in a way that is not. It works since
every prediction pulls the same image, a little at each step, and the next ones see the result.

Sources: visual anagrams, arXiv:2311.17919; factorized diffusion, arXiv:2404.11615.

Exercises
1. What is an anagram whose views are both the identity and whose prompts are equal? And a hybrid?
   test_illusions.py: test_an_anagram_of_one_view_is_plain_sampling
   test_illusions.py: test_a_hybrid_of_one_prompt_is_plain_sampling
2. Split into three bands, each from a different prompt. What must the filters sum to?
   test_illusions.py: test_filters_sum_to_the_identity
Next: theory/solvers.py
"""

import torch
import torch.nn.functional as F

from minidiff.editing.blur import gaussian_blur


def anagram(eps_fns, views):
    """Return the eps_fn of an image that shows each eps_fn's prompt as seen through its view.
    Visual anagrams, section 3.

    eps_fns: list, each with its own guidance. views: values of VIEWS, one for each. Raises
    ValueError for lists of unequal length.

    Derivation: what is exact in an anagram. The images whose view A shows p_1 have the density
    p_1(A x); for an orthogonal A noising and viewing commute, so this holds at every t. Its score
    is by the chain rule Aᵀ (∇ log p_1)(A x), and Aᵀ is the inverse view. So each prediction, mapped
    back, is exactly that of images which show their prompt in that view. The mean of such scores is
    the score of a product of densities, here of two:

        ½ (∇ log p_1(A x_t) + ∇ log p_2(B x_t)) = ∇ log sqrt(p_1(A x_t) p_2(B x_t))

    It is large only where both are. That is a heuristic, as in guidance (`guided`): a product of
    noised densities is not the noised product, so the steps do not sample from one distribution.

       test_derivations_editing.py: test_a_prediction_mapped_back_is_the_score_of_the_view
    """
    _check_pairs(eps_fns, views, "views")
    return lambda x_t, t: torch.stack(
        [view.back(eps_i(view.see(x_t), t)) for eps_i, view in zip(eps_fns, views)]
    ).mean(0)


def hybrid(eps_fns, filters):
    """Return the eps_fn of what each filter passes. Factorized diffusion, section 3.

    eps_fns: list, each with its own guidance. filters: linear functions of images, one for each,
    that sum to the identity, see `split`. Raises ValueError for lists of unequal length.

    Derivation: what is exact in a hybrid. Let a filter P be a projection, Pᵀ = P = P², and let the
    bands P x and (I - P) x of all images be independent. Then log p_i(x) is a sum of one term for
    each band, so is its noised version, and P ∇ log p_1 depends on the first band alone:

        eps_hat = P eps_1(x_t) + (I - P) eps_2(x_t)

    is exactly the prediction for images with their first band from p_1 and the others from p_2. The
    mean of all pixels is such a P, and so is `grey`. A Gaussian blur is not (blurred twice is not
    blurred once), and the bands of images are not independent: for these a hybrid is a heuristic.

       test_derivations_editing.py: test_a_hybrid_is_exact_for_independent_bands
    """
    _check_pairs(eps_fns, filters, "filters")
    return lambda x_t, t: sum(keep(eps_i(x_t, t)) for keep, eps_i in zip(filters, eps_fns))


def _check_pairs(eps_fns, others, name):
    if not eps_fns or len(eps_fns) != len(others):
        count = len(eps_fns)
        raise ValueError(f"expected as many {name} as prompts, got {len(others)} for {count}")


def split(*coarse):
    """Return filters that sum to the identity, one more than `coarse` has.

    coarse: linear functions of images, the coarsest first: `blur`, `motion`, `grey`. The first
    band is what the coarsest keeps, each further band what the next one keeps in addition, and the
    last band the rest.
    """
    whole = (*coarse, lambda x: x)
    between = [lambda x, a=a, b=b: b(x) - a(x) for a, b in zip(whole, whole[1:])]
    return [whole[0], *between]


def blur(sigma=2.0, kernel=33):
    """Return a Gaussian low-pass filter. Arguments: of `gaussian_blur`."""
    return lambda x: gaussian_blur(x, kernel, sigma)


def motion(length):
    """Return the blur of a camera that moves sideways. length: pixels, odd; less than twice the
    image's width. Raises ValueError for an even one."""
    if length < 1 or length % 2 == 0:
        raise ValueError(f"expected an odd length, got {length} pixels")
    ends = (length // 2, length // 2, 0, 0)
    return lambda x: F.avg_pool2d(F.pad(x, ends, mode="reflect"), (1, length), stride=1)


def grey(x):
    """Return images (B,C,H,W) without colour: each channel becomes the mean of all channels."""
    return x.mean(1, keepdim=True).expand_as(x)
