"""A page about runs while they go on: curves, pictures, decisions, and the feedback of people.

It reads run folders as plain files and writes letters into their mailboxes, nothing else. It never imports training,
and a crash of either leaves the other alone.
"""
