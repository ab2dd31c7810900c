"""Starts a run of comboi on Azure every morning, waits for it without holding a worker, and ends as the run ended.

For Airflow 3. What it needs where its workers run:

  COMBOI           the program; default: `comboi` on the PATH
  COMBOI_PROJECT   the folder with configs/ and transformations/, the same that was deployed
  COMBOI_CONFIG    the configuration in it, such as configs/production.yml
  and what that configuration asks for: DATA_LAKE_ACCOUNT_NAME, COMBOI_QUEUE_CONNECTION__queueServiceUri and so on
  (the outputs of terraform/), with an identity that is among its `operators`.

The run itself happens in the function app. A task here that dies and is tried again does no harm: a run that finds nothing new
does nothing.
"""

import json
import os
import subprocess
from datetime import datetime, timedelta

from airflow.sdk import PokeReturnValue, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

# Exit codes of comboi that mean something of their own.
MISTAKES, CONTRACT_BROKEN, TOO_OLD = 2, 3, 4


def comboi(*arguments):
    """Runs a command; gives its exit code and the one JSON document that it prints. Its log goes to the task's log."""
    command = [os.environ.get("COMBOI", "comboi"), *arguments, "--format", "json"]
    done = subprocess.run(command, cwd=os.environ.get("COMBOI_PROJECT"), stdout=subprocess.PIPE, text=True, timeout=600)
    document = json.loads(done.stdout)
    if "error" in document:
        # The command itself failed; a run that failed is a document like any other.
        failure = AirflowFailException if done.returncode == MISTAKES else AirflowException
        raise failure(document["error"])
    return done.returncode, document


@dag(
    schedule="0 5 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    tags=["comboi"],
)
def comboi_daily():
    @task
    def trigger():
        _, begun = comboi("trigger", "all")
        return begun["run"]

    # A look that fails (the lake or the network did not answer) says nothing about the run: the sensor looks again until its timeout. Mistakes
    # in the configuration end it at once. Without `silent_fail` each such look would use up one of the retries, over all the hours.
    @task.sensor(poke_interval=30, timeout=timedelta(hours=6).total_seconds(), mode="reschedule", silent_fail=True)
    def wait(run):
        code, view = comboi("status", str(run))
        if view["status"] == "open":
            return PokeReturnValue(is_done=False)
        receipts = [one["receipt"] for one in view["tasks"] if one["receipt"]]
        failed = [f"{receipt['dataset']}: {receipt['failure']['message']}" for receipt in receipts if receipt["failure"]]
        late = [receipt["dataset"] for receipt in receipts if receipt["late"]]
        return PokeReturnValue(is_done=True, xcom_value={"run": run, "code": code, "failed": failed, "late": late})

    @task(retries=0)
    def judge(ended):
        run, code = ended["run"], ended["code"]
        if code == 0:
            return f"run {run} is good"
        if code == TOO_OLD:
            # Everything is published; the sources are behind. Whoever wants to be woken by that raises here.
            return f"run {run} is published, but older than its SLA allows: {', '.join(ended['late'])}"
        what = "a contract is broken; readers keep the last good version" if code == CONTRACT_BROKEN else "tasks failed"
        raise AirflowFailException(f"run {run}: {what}\n" + "\n".join(ended["failed"]))

    judge(wait(trigger()))


comboi_daily()
