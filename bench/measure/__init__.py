"""The measurements of `bench/run`, one a file; each `measure(plan)` gives a section of Markdown."""
