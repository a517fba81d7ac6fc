"""The console for staff and committee, `facegate hub console`.

Each page is a view in a file of its own and a line in the table of `app`; what a duty may do stands in
`facegate_hub.community.duties`.
"""
