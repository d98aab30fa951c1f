def number_or_none(text):
    if text is None or str(text).strip() in ("", "None"):
        return None
    return float(text)
