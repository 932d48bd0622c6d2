"""Sequence browser nodes: the settings of one, and a new one that plays a sequence."""

from __future__ import annotations

from typing import Any

import slicer

from ..errors import UnsupportedImageError
from ..playback import DEFAULT_FORMAT, FASTEST, Browser, is_safe_format

BROWSER_CLASS = "vtkMRMLSequenceBrowserNode"


def sequence_played_by(browser: Any) -> Any:
    """The one sequence node that a browser node plays; UnsupportedImageError for none or several."""
    name, master = browser.GetName() or "", browser.GetMasterSequenceNode()
    if master is None:
        raise UnsupportedImageError(f'The sequence browser "{name}" plays no sequence; choose one in Sequences first.')
    if browser.GetNumberOfSynchronizedSequenceNodes(True) > 1:
        raise UnsupportedImageError(
            f'The sequence browser "{name}" plays several sequences; compress each of them, a file for each.'
        )
    return master


def browser_of(sequence: Any) -> Any:
    """The browser node that plays a sequence node; None where none or several in the scene do."""
    scene = sequence.GetScene()
    if scene is None:
        return None
    count = scene.GetNumberOfNodesByClass(BROWSER_CLASS)
    nodes = [scene.GetNthNodeByClass(number, BROWSER_CLASS) for number in range(count)]
    found = [node for node in nodes if node.IsSynchronizedSequenceNodeID(sequence.GetID(), True)]
    return found[0] if len(found) == 1 else None


def settings_of(browser: Any, sequence: Any) -> Browser:
    """How a browser node plays one of its sequences."""
    proxy, written = browser.GetProxyNode(sequence), browser.GetIndexDisplayFormat() or ""
    by_value = browser.GetIndexDisplayMode() == browser.IndexDisplayAsIndexValue
    samples_all = browser.GetRecordingSamplingMode() == browser.SamplingAll
    return Browser(
        name=browser.GetName() or "",
        playback_rate=min(max(browser.GetPlaybackRateFps(), -FASTEST), FASTEST),
        looped=bool(browser.GetPlaybackLooped()),
        item_skipping=bool(browser.GetPlaybackItemSkippingEnabled()),
        selected_item=_selected_item(browser, sequence),
        index_display="value" if by_value else "index",
        # Slicer writes the index in no other way than this with a format that it cannot use.
        index_format=written if is_safe_format(written) else DEFAULT_FORMAT,
        proxy_name=(proxy.GetName() or "") if proxy is not None else "",
        overwrite_proxy_name=bool(browser.GetOverwriteProxyName(sequence)),
        save_changes=bool(browser.GetSaveChanges(sequence)),
        record_master_only=bool(browser.GetRecordMasterOnly()),
        recording=bool(browser.GetRecording(sequence)),
        recording_sampling="all" if samples_all else "limited",
    )


def new_browser(settings: Browser, sequence: Any, scene: Any) -> Any:
    """A browser node in the scene that plays a sequence node.

    Slicer's sequences logic, which watches the scene, then makes the proxy node that shows the selected frame;
    in a scene without that logic there is none until one is made.
    """
    name = settings.name or f"{sequence.GetName()} browser"
    if scene.GetFirstNodeByName(name) is not None:
        name = scene.GenerateUniqueName(name)
    browser = slicer.vtkMRMLSequenceBrowserNode()
    browser.SetName(name)
    browser.SetPlaybackRateFps(settings.playback_rate)
    browser.SetPlaybackLooped(settings.looped)
    browser.SetPlaybackItemSkippingEnabled(settings.item_skipping)
    by_value = settings.index_display == "value"
    browser.SetIndexDisplayMode(browser.IndexDisplayAsIndexValue if by_value else browser.IndexDisplayAsIndex)
    browser.SetIndexDisplayFormat(settings.index_format)
    browser.SetRecordMasterOnly(settings.record_master_only)
    samples_all = settings.recording_sampling == "all"
    browser.SetRecordingSamplingMode(browser.SamplingAll if samples_all else browser.SamplingLimitedToPlaybackFrameRate)
    scene.AddNode(browser)
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    browser.SetSelectedItemNumber(settings.selected_item)
    browser.SetRecording(sequence, settings.recording)
    proxy = browser.GetProxyNode(sequence)
    if proxy is not None and settings.proxy_name:
        proxy.SetName(settings.proxy_name)
    browser.SetSaveChanges(sequence, settings.save_changes)
    # Last: it lets Slicer name the proxy.
    browser.SetOverwriteProxyName(sequence, settings.overwrite_proxy_name)
    return browser


def _selected_item(browser: Any, sequence: Any) -> int:
    """The number of the frame that is shown; the browser counts those of its first sequence."""
    master, item = browser.GetMasterSequenceNode(), browser.GetSelectedItemNumber()
    if item >= 0 and master is not None and master.GetID() != sequence.GetID():
        item = sequence.GetItemNumberFromIndexValue(master.GetNthIndexValue(item), False)
    return max(0, min(int(item), int(sequence.GetNumberOfDataNodes()) - 1))
