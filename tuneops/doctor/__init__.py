"""Whether a running TuneOps has what it needs, and how to mend what is broken.

`checks` names what is checked. For each area `looking` has what is asked of Azure and GitHub, and
`judging`, which is pure, what to make of the answers.
"""
