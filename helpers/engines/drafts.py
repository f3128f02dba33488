"""The draft that belongs to a model, where the catalogue knows one: nobody has to name it."""


def known_draft(engine: str, model: str, speculation: str) -> str:
    """The draft model or EAGLE-3 head of a model; empty where none is needed or known.

    Args:
        engine: its name; some engines need a draft in a form of their own.
        model: an id of either catalogue, or a path.
        speculation: none, ngram, draft or eagle3.

    Raises:
        UsageError: the model is in the catalogue of downloads, and has none.
    """
    from helpers.models import catalogue, hub

    if speculation not in ("draft", "eagle3"):
        return ""
    if model in hub.models():
        return hub.models()[model].draft_for(engine, speculation)
    known = catalogue.entries().get(model)
    return known.drafts.get(speculation, "") if known is not None else ""
