"""What is said to the user when an import cannot be done."""


class ImportFailure(Exception):
    """One line that names the file, tensor or option at fault.  about_source: the source's name is
    to be put in front."""

    def __init__(self, message, about_source=True):
        super().__init__(message)
        self.about_source = about_source


def one_line(text):
    """The text with everything that a terminal could act on replaced: it may come from the file."""
    text = "".join(c if c.isprintable() else "?" for c in str(text))
    return text if len(text) <= 500 else text[:497] + "..."
