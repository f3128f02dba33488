"""Panels for notebooks: things to look at while they move, each made by one line.

    helpers.StepExplorer(trace)                  what a scheduler did, step by step, and whose each KV block was
    helpers.AcceptanceView("Count to 20.")       draft tokens that were kept, and those that were not, in the text
    await helpers.measure_live(server, ...)      a measurement with its figures as they come; it can be stopped
    helpers.SideBySide({"a": server, ...})       the same question to several engines, answers as they stream
    helpers.EnginePanel()                        engines of this machine: state, memory, start, stop, log
    helpers.CapacityPlanner()                    users that one Spark, two Sparks or an H200 serve, by the simulator

Each is a `panel.Panel`: ipywidgets where somebody sits in front of the notebook, and what it shows as HTML and plain
text where nobody does (papermill, nbconvert, nbval). Nothing is loaded from the network.
"""
