"""The rules by which a model is made from another: ``derived: {from: …, by: <name>}``.

Each is a module of this folder with ``derive(adapter, settings, seed)``, which changes the weights
of a loaded model in place, and a line here. Snakemake imports this when it plans, so it needs
neither numpy nor torch.
"""

# By name, the components whose weights it changes; a change anywhere else is an error
CHANGES = {
    "eyes": ("vision",),
    "prior": ("connector",),
}
