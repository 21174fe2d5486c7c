"""Setup shared by all rules: the checked configuration, the check of files, the shell."""

import os
import shlex
import sys
import time
from pathlib import Path

from snakemake.dag import DAG
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

HERE = Path(os.path.abspath(workflow.current_basedir.get_path_or_uri(secret_free=True)))
if not HERE.is_dir():
    sys.exit(
        "eyechart: error: the workflow's Python package must be in a local folder: "
        f"clone the repository and use its workflow/Snakefile instead of {HERE}"
    )
CODE = str(HERE.parent)
PROJECT = HERE.parents[1]
sys.path.insert(0, CODE)

from eyechart.core import config_files, errors, integrity
from eyechart.core.errors import UserError
from eyechart.core.fingerprint import fingerprint
from eyechart.plan import configuration, environments, resources, targets, training
from eyechart.plan import paths
from eyechart.plan.config.check import check
from eyechart.plan.configuration import canonical
from eyechart.plan.environments import Environments, conda_file
from eyechart.plan.looks import LooksPlan
from eyechart.plan.mining import OF_A_PART, SETTINGS, MiningPlan
from eyechart.plan.quick import plan_quickly, start_planning, start_run
from eyechart.plan.report import ReportPlan
from eyechart.plan.tuning import TuningPlan
from eyechart.plan.workflow import WorkflowPlan

start_planning()
OWN = "config/config.yaml"
if not workflow.overwrite_configfiles:
    FILE = OWN if os.path.exists(OWN) else str(PROJECT / OWN)
    config_files.check(FILE)  # Snakemake's own reader fails with a traceback

    configfile: FILE


try:
    integrity.check_names(HERE.parent)
    configuration.link_shipped(PROJECT)
    FILES = [*workflow.configfiles, *workflow.overwrite_configfiles]
    config.update(check(config, FILES))
    if config["run"] or workflow.pathvars.get("results") == paths.RESULTS:
        workflow.register_pathvars(**configuration.of_run(config["run"]))
    RESULTS = workflow.pathvars.get("results")
    workflow.register_pathvars(raw=paths.raw_of(RESULTS))
    SPECS = configuration.read_specs(config["checkpoints"])
    PLAN = WorkflowPlan(config, SPECS)
    PLAN.check()
    BEHAVIOR = PLAN.behavior
    READOUT = PLAN.readout
    CONCEPTS = PLAN.concepts
    ATTENTION = PLAN.attention
    INTERVENTIONS = PLAN.interventions
    TUNING = TuningPlan(config, SPECS)
    TUNING.check()
    LOOKS = LooksPlan(config)
    VERDICT = PLAN.verdict
    MINING = MiningPlan(config)
    MINING.check()
    REPORT = ReportPlan(PLAN, MINING)
    SALIENCY = REPORT.saliency
    CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
    ENVIRONMENTS = Environments(SPECS, CONDA, config["threads"])
    ENVIRONMENTS.check()
    targets.check(config, SPECS, sys.argv[1:], RESULTS)
    RESOURCES = resources.JobResources(config, SPECS, RESULTS)
    VERIFY = "verify" in sys.argv[1:]
    if workflow.is_main_process:
        FAULTS = integrity.start(RESULTS, full=VERIFY)
        if VERIFY and FAULTS:
            lines = [f"{fault.path} {fault.what}" for fault in FAULTS]
            lines.append(f"changed since they were written: {len(FAULTS)}; run again")
            sys.exit("\n".join(f"eyechart: error: {UserError(line)}" for line in lines))
        SHARE = integrity.make_again(FAULTS, DAG, logger.warning, RESULTS)
except Exception as error:
    if errors.sentence(error) is None:
        raise
    sys.exit(f"eyechart: error: {errors.sentence(error)}")

if workflow.is_main_process:
    for warning in [
        *ENVIRONMENTS.unbuilt_warnings(PLAN.models),
        *RESOURCES.gpu_warnings(workflow.global_resources.get("gpu").value),
        *BEHAVIOR.unasked_warnings(),
        *VERDICT.few_warnings(),
    ]:
        logger.warning(f"eyechart: {warning}")

configuration.put_own_python_first()

# Snakemake drops PYTHONPATH in conda jobs. It also sets OMP_NUM_THREADS to threads scaled to
# --cores, but results must not depend on --cores. Braces in the project's path are doubled, because
# Snakemake formats the prefix.
QUOTED = shlex.quote(CODE).replace("{", "{{").replace("}", "}}")
shell.prefix(
    "set -euo pipefail; "
    f"export PYTHONPATH={QUOTED} OMP_NUM_THREADS={config['threads']}; "
)

# A param of all rules whose results depend on library versions and thread counts. Rules that load a
# model use ENVIRONMENTS.state of the model's environment instead.
ENVIRONMENT = environments.base_state(config["threads"])

STARTED = time.time()
BASE = conda_file("base")
# A Dockerfile can list the environments of rules, but not those that are chosen per job
CONTAINERIZE = "--containerize" in sys.argv
OF_MODEL = BASE if CONTAINERIZE else ENVIRONMENTS.file


onstart:
    start_run(workflow, config, RESULTS, SHARE)


onsuccess:
    integrity.remember(RESULTS)


onerror:
    integrity.remember(RESULTS)
    for sentence in configuration.logged_errors(
        workflow.pathvars.get("logs"), since=STARTED
    ):
        logger.error(sentence)


wildcard_constraints:
    model=PLAN.model_pattern(),
    first=PLAN.model_pattern(),
    second=PLAN.model_pattern(),
    dataset=PLAN.dataset_pattern(),
    split="[a-zA-Z0-9_]+",
    scope="image|item",
    task=r"[^/.]+",
    shard=r"\d{3}",
    part=r"\d{3}",
    look=r"\d+",
