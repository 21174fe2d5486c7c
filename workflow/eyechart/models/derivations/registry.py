"""Rules that derive a model from another: ``derived: {from: …, by: <name>}``.

Each rule is a module of this folder with ``derive(adapter, settings, seed)``, which changes the
weights of a loaded model in place, and a line here. Snakemake imports this module when it plans, so
it needs neither numpy nor torch.
"""

# Components whose weights each rule changes; any other change is an error
CHANGES = {"eyes": ("vision",), "prior": ("connector",)}
