"""Parameters of the changes feed."""

SINCE = "since"
LARGEST_PAGE = 1000
