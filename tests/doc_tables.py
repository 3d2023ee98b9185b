"""The tables of the documents, which must list what the tables of the code do."""

from tests.conftest import REPOSITORY


def table_rows(document: str, first: str) -> list[list[str]]:
    """Cells of each row of the table whose first column is headed `first`; none without a table."""
    lines = iter((REPOSITORY / document).read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {first} |"):
            next(lines)  # the line below the header
            break
    rows = []
    for line in lines:
        if not line.startswith("| "):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows
