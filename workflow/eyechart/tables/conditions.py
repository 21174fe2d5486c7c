"""The conditions under which models answer. Snakemake imports this module at parse time."""

CONDITIONS = ("sighted", "blank", "noise", "swapped", "no_image")
TRUE, BLANK, SHUFFLED = "true", "blank", "shuffled"  # data of tuning: as they are, or controls
