"""Jobs: the plan of a run, the processes they are done in, and what comes back from them.

One parameter on its way, ``n`` (the points judged at the end) of
``python -m bench run --suite smoke --n 200``:

1. ``bench.commands.run`` hands ``options.n`` to ``bench.interface.plans.plan``, which puts it into
   the suite: ``Suite.n`` (``bench.suite.suite``; without the option what the file says).
2. ``bench.jobs.complete.complete_run`` begins a ``Session``; ``plan.header`` writes the suite into
   ``run.json`` (``bench.suite.serialised``), from which ``--resume`` reads it again.
3. ``plan.job_tasks`` makes a ``JobSpec`` for each sampler, target and seed; what all share are its
   ``RunSettings``: ``spec.settings.n``. A ``Task`` holds the jobs of one child.
4. ``pool.ProcessPool`` starts the child and tells it the task as one line (``messages``).
5. ``child`` reads the line back into the same dataclasses; ``execute.execute`` makes the instances
   (``instances``) and a ``bench.harness.loop.JobLoop(..., n=settings.n)``.
6. The loop asks ``sampler.draw(target, state, n, rng)``, and the points are judged.
7. ``JobSpec.record``, completed by ``one_job.play``, is the job's record; the child leaves it in
   the inbox with its checkpoints and measures, and ``bookkeeping`` appends it to the run.

A hyperparameter goes the same way: ``params`` of a ``SamplerSpec``, from the suite's file (or its
preset) to ``instances.make_sampler``. ``one_job.execute_job`` does a job of instances in this
process, without any of it.
"""
