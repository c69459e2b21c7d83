"""The event hub for a Python program: hear what happens, say what happened.

It deliberately knows the hub alone, not communities or messages; and it keeps nothing on disk: the position up to which events were dealt
with is the program's to store. The wire is docs/protocol/events.md, the design docs/subsystems/sdk-hub.md.
"""

from ._client import NexusClient
from ._errors import HubError
from ._events import Gap, HubEvent, Published
from ._subscription import SKIP, Subscription

__all__ = ["SKIP", "Gap", "HubError", "HubEvent", "NexusClient", "Published", "Subscription"]
