"""The conditions under which models answer. Snakemake imports this module at parse time."""

CONDITIONS = ("sighted", "blank", "noise", "swapped", "no_image")
TRUE, BLANK, SHUFFLED = "true", "blank", "shuffled"  # tuning data: the true ones or controls
