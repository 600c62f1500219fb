"""Rules for what a chapter says: figures with captions, numbers with records, sources and links that exist."""

import re
from collections.abc import Iterator

from rules.page import Page, first_line, without_code, without_fences, without_mathematics
from vaecourse.publish.prose import collect_records, marked_numbers

# Chapters that the course will have. A link to one of them may stand before its chapter does.
SYLLABUS = """00_start_here 01_maximum_likelihood 02_em 03a_markov_chains 03b_variational_families 04_elbo
05_amortization 06_score_function 07a_reparameterization 07b_other_shapes 08_vae 09a_information 09b_bits_back
10_evaluation 11_hierarchies 12_pixelvae 13a_priors 13b_clusters_and_labels 14_inference_gaps 15_better_amortization
16a_flows 16b_autoregressive_flows 17_iaf_vae 18a_richer_posteriors 18b_mcmc_and_vi 19_iwae 20_summary""".split()
_CITATION = re.compile(r"\]\(#ref-([\w-]+)\)")
_CAPTION = re.compile(r"\*\*Figure (\w+)\.(\d+)\.?\*\*")


def figures(page: Page) -> Iterator[str]:
    """Every picture has alternative text and a caption below; figures are numbered in order."""
    numbers = []
    for cell in page.code:
        captioned = 0
        pictures = 0
        for output in cell.outputs:
            data = output.get("data", {})
            for mime in [mime for mime in data if mime.startswith("image/")]:
                pictures += 1
                alt = output.metadata.get(mime, {}).get("alt", "")
                if len(alt.split()) < 4:
                    yield f"a picture of {first_line(cell)} has no alternative text that says what is to be seen"
            caption = _CAPTION.match(data.get("text/markdown", ""))
            if caption:
                captioned += 1
                numbers.append((caption[1], int(caption[2])))
                if len(data["text/markdown"].split()) < 8 or captioned > pictures:
                    yield f"the caption of figure {caption[1]}.{caption[2]} must stand below it and say what to see"
        if pictures != captioned:
            yield f"{first_line(cell)} shows {pictures} pictures with {captioned} captions"
    if numbers != [(page.label, k + 1) for k in range(len(numbers))]:
        yield f"figures must be numbered {page.label}.1, {page.label}.2, ...; they are {numbers}"
    if not numbers:
        yield "a chapter has at least one figure"


def only_what_runs_is_said(page: Page) -> Iterator[str]:
    """Nothing rests on runs that no cell and no command repeats."""
    captions = [o.data["text/markdown"] for c in page.code for o in c.outputs if "text/markdown" in o.get("data", {})]
    for text in [*(cell.source for cell in page.prose()), *captions]:
        for found in re.findall(r"\bnot (?:shown|tested)(?: here)?\b", text):
            yield f"{text.strip()[:60]!r} says {found!r}: run it or strike it"


def recorded_numbers(page: Page) -> Iterator[str]:
    """Each marked number in the prose is what the run recorded."""
    try:
        records = collect_records(page.notebook)
    except ValueError as error:
        yield str(error)
        return
    for cell in page.markdown:
        marked = list(marked_numbers(cell.source))
        if len(marked) != cell.source.count("<!--record"):
            yield f"a marker in {first_line(cell)} does not directly follow a number"
        for number in marked:
            if number.name not in records:
                yield f"{number.text} claims to be {number.name}, which is not recorded"
            elif not number.agrees(records[number.name]["value"]):
                yield f"the prose says {number.text}, and {number.name} is {records[number.name]['value']:.6g}"


def unmarked_numbers(page: Page) -> Iterator[str]:
    """A decimal number in the prose is marked as a record, stands in a formula, or is quoted from a cited source."""
    named = re.compile(
        r"\b(?:Figures?|Exercises?|Sections?|Tables?|Chapters?|Equations?|Python|version|§) \(?\d+[a-z]?\.\d+"
        rf"|^#+ {page.label}\.\d+|\({page.label}\.\d+\)",  # numbered headings, equations
        re.IGNORECASE | re.MULTILINE,
    )
    for cell in page.prose():
        marked = "".join(re.split(r"[-+−]?\d[\d,.]*(?:[eE][-+−]?\d+)?<!--\s*record:\s*\w+\s*-->", cell.source))
        blocks = re.split(r"\n\s*\n", without_fences(marked))
        for k, block in enumerate(blocks):
            neighbours = blocks[max(0, k - 1) : k + 2] if block.lstrip().startswith("|") else [block]
            if any(_CITATION.search(other) for other in neighbours):
                continue
            found = re.search(r"(?<![\w.])[-+−]?\d+\.\d+(?!\.?\d)", named.sub(" ", without_mathematics(block)))
            if found:
                yield f"{found[0]} in {first_line(cell)} has no record: nothing would notice if it were wrong"


def citations(page: Page) -> Iterator[str]:
    """Every citation leads to an entry under References, whose key is in the bibliography."""
    text = "\n".join(cell.source for cell in page.markdown)
    listed = "\n".join(cell.source for cell in page.parts.get("References", []))
    entries = re.findall(r'<a id="ref-([\w-]+)">', listed)
    for key in sorted(set(_CITATION.findall(text)) - set(entries)):
        yield f"{key} is cited and not listed under References"
    for key in entries:
        if key not in page.keys:
            yield f"{key} is listed under References and not in references.bib"
    if len(entries) != len(set(entries)):
        yield "a reference is listed twice"
    if not entries:
        yield "a chapter has references"
    for raw in re.findall(r"\[@[\w-]+\]", text):
        yield f"{raw} must be written as a link, [Author (year)](#ref-key)"


def links(page: Page) -> Iterator[str]:
    """Links to other chapters lead to chapters that exist, or will."""
    for cell in page.markdown:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", without_code(cell.source)):
            if re.match(r"https?://|mailto:|attachment:", target):
                continue
            if target.removesuffix(".ipynb") not in {*page.chapters, *SYLLABUS} or not target.endswith(".ipynb"):
                yield f"the link to {target} leads nowhere"
