"""What the residents' page and the staff's console have in common: one request, checked; style; layout.

asking   a request as a view gets it: who asks, the form and its token
office   what a view works with
files    style and script, kept by browsers for as long as they do not change
"""
