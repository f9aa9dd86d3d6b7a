"""Records of finished jobs and everything made from them: tables, figures, reports.

Nothing here imports a sampler, a target or torch: a report can be made where no run could.
"""
