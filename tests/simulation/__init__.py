"""Random histories of a project, to try `tuneops.decide` with: no Azure, no clock, no I/O.

`world`      what there is: git, the project's documents, and Azure
`azure`      a model of Azure ML, whose operations take their time and may fail
`people`     those who change configs, data, policy and Azure, give orders and answer questions
`worker`     what `tuneops.reconcile` does with a decision, and how its work may be lost
`turns`      what a worker has read, and how it writes
`sharing`    two hosts with clocks of their own, and the store between them
`splits`     what a split decision of two hosts is, which must never be
`effects`    what `tuneops.act` does; `provisioning` and `asking` are parts of it
`promises`   what must hold after every step, and at the end; `machines` has those about deployments
             that cost something, `consent` those about who lets a deployment have traffic
`histories`  how histories are made, counted and replayed
`planted`    mistakes in the decision that the promises have to find
"""
