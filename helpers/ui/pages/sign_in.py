"""The form that asks for a key. It is plain HTML: the key goes into a cookie that no script can read."""

from nicegui import ui

FORM = """
<form method="post" action="/sign-in" class="card sign-in">
  <h1>Sign in</h1>
  <p>This gateway wants a key. Whoever runs it makes one with <code>./course keys add NAME</code>.</p>
  {error}
  <label for="key">Key</label>
  <input id="key" name="key" type="password" autocomplete="current-password" placeholder="ck-..." required autofocus>
  <button type="submit" class="primary">Sign in</button>
</form>
"""
WRONG = '<p class="error" role="alert">That key is not valid. It may have been revoked; ask for a new one.</p>'


def show_sign_in(wrong: bool) -> None:
    """Build the page; `wrong` after a key that is not valid."""
    ui.html(FORM.format(error=WRONG if wrong else ""), sanitize=False).classes("page")
