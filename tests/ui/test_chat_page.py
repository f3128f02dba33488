"""The chat page in a browser: what a user does, and what the engine then is asked."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.api.gateways import until
from tests.ui.conftest import Front, answered, open_tab, ready, say
from tests.ui.engines import CODE

pytestmark = pytest.mark.browser


def test_an_answer_streams_with_code_in_colours_and_figures(page: Any, front: Front) -> None:
    say(page, "code please")
    answer = answered(page)
    expect(answer.locator(".code .k").first).to_have_text("def")
    expect(answer.locator("strong")).to_have_text("bold")
    expect(answer.locator(".figures")).to_contain_text(re.compile(r"TTFT .*s · [\d.]+ tokens/s · \d+ tokens"))
    assert page.input_value("textarea.composer-input") == ""
    assert page.locator(".meter").inner_text() != ""
    assert front.asked()["model"] == "told"
    answer.locator("button.copy").click()
    page.wait_for_function("document.querySelector('button.copy').textContent === 'Copied'")


def test_thinking_is_kept_apart(page: Any) -> None:
    say(page, "think about it")
    answer = answered(page)
    assert answer.locator(".thinking").is_visible()
    expect(answer.locator(".words")).not_to_contain_text("Let me think")


def test_stop_ends_the_engine_s_work_and_keeps_the_words(page: Any, front: Front) -> None:
    left = front.engine.left
    say(page, "forever and ever")
    page.wait_for_function("document.querySelector('.message.writing .words')?.innerText.includes('word5')")
    page.keyboard.press("Escape")
    answer = answered(page)
    until(lambda: front.engine.left > left)
    expect(answer.locator(".words")).to_contain_text("word5")
    expect(answer.locator(".error")).to_have_text("Stopped.")
    assert page.locator(".send").is_visible()


def test_answer_again(page: Any, front: Front) -> None:
    say(page, "once more")
    answered(page)
    first = front.asked()
    page.get_by_role("button", name="Answer again").click()
    until(lambda: len([sent for sent in front.engine.sent if sent.fields["messages"] == first["messages"]]) == 2)
    answered(page)
    expect(page.locator(".message.user")).to_have_count(1)


def test_edit_and_send_again(page: Any, front: Front) -> None:
    say(page, "first try")
    answered(page)
    say(page, "second question")
    answered(page, 2)
    page.locator(".message.user").first.get_by_role("button", name="Edit and send again").click()
    page.wait_for_function("document.querySelector('textarea.composer-input').value === 'first try'")
    expect(page.locator(".editing")).to_contain_text("earlier message")
    say(page, "better try")
    answered(page, 1)
    assert [message["content"] for message in front.asked()["messages"]] == ["better try"]
    page.keyboard.press("ArrowUp")
    page.wait_for_function("document.querySelector('textarea.composer-input').value === 'better try'")
    page.keyboard.press("Escape")
    page.wait_for_function("document.querySelector('textarea.composer-input').value === ''")


def test_a_reload_keeps_the_conversation_and_the_answer_goes_on(page: Any) -> None:
    say(page, "forever going on")
    page.wait_for_function("document.querySelector('.message.writing .words')?.innerText.includes('word3')")
    page.reload()
    ready(page)
    page.wait_for_function("document.querySelector('.message.writing .words')?.innerText.includes('word20')")
    expect(page.locator(".message.user .words")).to_have_text("forever going on")
    page.locator(".stop").click()
    answered(page)


def test_two_tabs_see_the_same(page: Any, context: Any) -> None:
    say(page, "hello from one")
    answered(page)
    other = open_tab(context).page
    other.goto(page.url)
    ready(other)
    say(page, "forever from one")
    other.wait_for_function("document.querySelector('.message.writing .words')?.innerText.includes('word3')")
    other.locator(".stop").click()
    answered(page, 2)
    say(other, "hello from two")
    answered(page, 3)
    expect(page.locator(".message.user").last).to_contain_text("hello from two")


def test_settings_of_one_tab_hold_in_the_other(page: Any, context: Any, front: Front) -> None:
    say(page, "before the settings")
    answered(page)
    other = open_tab(context).page
    other.goto(page.url)
    ready(other)
    page.get_by_role("button", name="System prompt, preset, parameters").click()
    page.fill(".system textarea", "You are a lighthouse.")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_selector(".settings", state="detached")
    # The other page has looked again when a message that was sent after the change is on it.
    say(page, "after them")
    answered(other, 2)
    say(other, "and from here?")
    answered(other, 3)
    assert front.asked()["messages"][0] == {"role": "system", "content": "You are a lighthouse."}


def test_what_is_typed_survives_a_reload_and_is_sent_once(page: Any, front: Front) -> None:
    page.locator("textarea.composer-input").press_sequentially("half a thought")
    page.reload()
    ready(page)
    page.wait_for_function("document.querySelector('textarea.composer-input').value === 'half a thought'")
    page.locator("textarea.composer-input").press("Enter")
    answered(page)
    page.reload()
    ready(page)
    answered(page)
    assert page.input_value("textarea.composer-input") == ""


def test_an_engine_that_dies_leaves_its_words_and_says_what_to_do(page: Any) -> None:
    say(page, "die now")
    answer = answered(page)
    expect(answer.locator(".words")).to_contain_text("Half an answer")
    error = answer.locator(".error").inner_text()
    assert "before it was complete" in error
    assert "./course engines" in error
    say(page, "still there?")
    expect(answered(page, 2).locator(".words")).to_contain_text("still there")


def test_an_over_long_prompt_is_explained_and_not_lost(page: Any) -> None:
    say(page, "too-long " + "words " * 50)
    answer = answered(page)
    expect(answer.locator(".error")).to_contain_text("maximum context length")
    expect(answer.locator(".error")).to_contain_text("Shorten the text")
    assert page.locator(".message.user .words").inner_text().startswith("too-long words")


def test_neither_model_nor_user_can_inject(page: Any) -> None:
    say(page, "inject <img src=x onerror=alert(1)><script>alert(2)</script>")
    answer = answered(page)
    expect(answer.locator("img, script, iframe, form, svg")).to_have_count(0)
    assert page.locator(".message.user .words").inner_text().endswith("</script>")
    expect(page.locator(".conversation-title img")).to_have_count(0)
    page.reload()
    ready(page)
    expect(answered(page).locator("img, script, iframe, form, svg")).to_have_count(0)


def test_two_models_side_by_side(page: Any, front: Front) -> None:
    page.get_by_role("button", name="Compare two models").click()
    page.wait_for_selector(".lane-1")
    say(page, "who are you?")
    answered(page, 2)
    expect(page.locator(".turn.pair .message.assistant")).to_have_count(2)
    assert page.locator(".author").all_inner_texts() == ["told", "second"]
    for figures in page.locator(".figures").all_inner_texts():
        assert "TTFT" in figures
    boxes = [page.locator(".message.assistant").nth(number).bounding_box() for number in (0, 1)]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert {sent.fields["model"] for sent in front.engine.sent[-2:]} == {"told", "second"}
    say(page, "and then?")
    answered(page, 4)
    for sent in front.engine.sent[-2:]:
        assert len(sent.fields["messages"]) == 3, "a lane sees only its own answers"


def test_presets_with_system_prompt_and_parameters(page: Any, front: Front) -> None:
    settings = page.get_by_role("button", name="System prompt, preset, parameters")
    settings.click()
    page.fill(".system textarea", "You are a pirate.")
    page.fill(".option-temperature input", "7")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".settings .error")).to_contain_text("temperature must be")
    page.fill(".option-temperature input", "0.3")
    page.get_by_role("button", name="Save as preset").click()
    page.fill(".dialog-input input", "Pirate")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Apply").click()
    page.wait_for_selector(".settings", state="detached")
    say(page, "ahoy")
    answered(page)
    assert front.asked()["messages"][0] == {"role": "system", "content": "You are a pirate."}
    assert front.asked()["temperature"] == 0.3
    page.keyboard.press("Alt+n")
    page.wait_for_selector(".empty", state="visible")
    settings.click()
    page.locator(".preset").click()
    page.get_by_role("option", name="Pirate").click()
    page.wait_for_function("document.querySelector('.system textarea').value === 'You are a pirate.'")
    page.get_by_role("button", name="Cancel").click()


def test_conversations_are_found_renamed_exported_and_deleted(page: Any) -> None:
    say(page, "a rather special subject")
    answered(page)
    current = page.locator(".conversation.current")
    more = current.get_by_role("button", name="Rename, export, delete")
    more.click()
    page.get_by_text("Rename", exact=True).click()
    page.fill(".dialog-input input", "Special")
    page.locator(".dialog").get_by_role("button", name="Rename").click()
    page.wait_for_function("document.querySelector('.conversation.current').innerText.includes('Special')")
    say(page, "and one more thing")
    answered(page, 2)
    expect(page.locator(".conversation.current")).to_contain_text("Special")
    page.fill(".search input", "rather special")
    page.wait_for_function("document.querySelectorAll('.conversation').length === 1")
    page.locator(".conversation .icon-button").click()
    with page.expect_download() as download:
        page.get_by_text("Export as Markdown").click()
    assert "a rather special subject" in download.value.path().read_text()
    page.locator(".conversation .icon-button").click()
    page.locator(".q-menu").get_by_text("Delete", exact=True).click()
    page.locator(".dialog").get_by_role("button", name="Delete").click()
    page.wait_for_selector(".empty", state="visible")
    assert page.url.rstrip("/").count("/") == 2


def test_long_conversations_show_their_end_first(page: Any, front: Front) -> None:
    page.goto(front.url + front.converse(200))
    ready(page)
    page.wait_for_function("document.querySelectorAll('.message').length === 40")
    assert page.locator(".message").last.is_visible()
    page.get_by_role("button", name="Show earlier messages").click()
    page.wait_for_function("document.querySelectorAll('.message').length === 80")
    say(page, "go on")
    page.wait_for_function("!document.querySelector('.message.writing')")
    page.wait_for_function("document.querySelector('.thread').innerText.includes('You said: go on')")
    assert len(front.asked()["messages"]) == 201


def test_the_back_button_goes_to_the_conversation_before(page: Any) -> None:
    say(page, "the first one")
    answered(page)
    page.keyboard.press("Alt+n")
    page.wait_for_selector(".empty", state="visible")
    page.wait_for_function("location.pathname === '/'")
    page.go_back()
    page.wait_for_function("document.querySelector('.thread').innerText.includes('the first one')")


def test_phone_width(chromium: Any, front: Front) -> None:
    context = chromium.new_context(viewport={"width": 375, "height": 667}, has_touch=True, is_mobile=True)
    tab = open_tab(context)
    tab.page.goto(front.url)
    ready(tab.page)
    say(tab.page, "code on a phone")
    answered(tab.page)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 375
    box = tab.page.locator(".composer").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 375
    assert box["y"] + box["height"] <= 667
    tab.page.get_by_role("button", name="Conversations").click()
    tab.page.wait_for_selector(".new-conversation", state="visible")
    tab.page.locator(".new-conversation").click()
    tab.page.wait_for_selector(".empty", state="visible")
    tab.page.wait_for_function("document.querySelector('.q-drawer').getBoundingClientRect().right <= 0")
    assert tab.problems == []
    context.close()


def test_dark_and_light_are_chosen_and_kept(page: Any) -> None:
    button = page.locator(".theme-button")
    seen = set()
    for _ in range(3):
        seen.add(page.evaluate("getComputedStyle(document.querySelector('.chat')).backgroundColor"))
        name = button.get_attribute("aria-label")
        button.click()
        page.wait_for_function(
            "name => document.querySelector('.theme-button').getAttribute('aria-label') !== name", arg=name
        )
    assert len(seen) == 2
    while button.get_attribute("aria-label") != "Theme: dark":
        name = button.get_attribute("aria-label")
        button.click()
        page.wait_for_function(
            "name => document.querySelector('.theme-button').getAttribute('aria-label') !== name", arg=name
        )
    page.reload()
    ready(page)
    assert page.evaluate("document.body.classList.contains('body--dark')")


def test_extensions_add_a_button_a_command_and_a_panel(page: Any) -> None:
    say(page, "three words here")
    answer = answered(page)
    answer.get_by_role("button", name="Count words").click()
    page.wait_for_selector(".extension-result")
    expect(answer.locator(".extension-result strong")).to_have_text("5")
    expect(answer.locator(".extension-result script")).to_have_count(0)
    answer.get_by_role("button", name="Break").click()
    page.wait_for_function("document.querySelector('.extension-result').innerText.includes('on purpose')")
    say(page, "/shout hello")
    page.wait_for_function("document.querySelector('textarea.composer-input').value === 'HELLO'")
    page.locator(".panel").click()
    page.wait_for_selector("text=A panel's own label")


def test_the_answer_is_copied_as_it_was_written(page: Any, context: Any) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    say(page, "code to copy")
    answered(page).locator(".copy-message").click()
    page.wait_for_function("text => navigator.clipboard.readText().then(read => read === text)", arg=CODE)
