"""How the picture of a question is shown; Snakemake imports this at parse time."""

CONDITIONS = ("sighted", "blank", "noise", "swapped", "no_image")
