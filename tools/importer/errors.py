"""What is said to the user when an import cannot be done."""


class ImportFailure(Exception):
    """One line that names the file, tensor or option at fault."""


def one_line(text):
    """The text with everything that a terminal could act on replaced: it may come from the file."""
    text = "".join(c if c.isprintable() else "?" for c in str(text))
    return text if len(text) <= 500 else text[:497] + "..."
