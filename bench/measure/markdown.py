"""Sections and tables of the results."""


def section(title, note, headers, rows):
    """A section: its title, what it shows in a sentence or two, and a table."""
    rule = ["---"] + ["---:"] * (len(headers) - 1)
    table = [_row(cells) for cells in (headers, rule, *rows)]
    return "\n".join([f"## {title}", "", note, "", *table])


def _row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def count(number):
    """A whole number with its thousands set apart."""
    return f"{number:,.0f}"
