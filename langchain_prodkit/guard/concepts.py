"""What the words of an attack do in its sentence."""

from __future__ import annotations

from enum import IntFlag

__all__ = ["Does"]


class Does(IntFlag):
    """What a word does in an attack."""

    OVERRIDE = 1
    """Tells to drop something: ignore, forget."""
    RULES = 2
    """What is to be dropped: instructions, rules, guidelines."""
    QUALIFY = 4
    """Which ones: previous, above, your, system."""
    EVERYTHING = 8
    """All that was said."""
    PRIOR = 16
    """Before, above, until now."""
    REVEAL = 32
    """Tells to show something: print, repeat, translate."""
    PROMPT = 64
    """The system prompt under any of its names."""
    ROLE = 128
    """Tells to become somebody: you are now, act as, pretend."""
    FREE = 256
    """Without rules, filters or refusals."""
    MODE = 512
    """A jailbreak by name: developer mode, DAN."""
    ADDRESS = 1024
    """Speaks to the machine that reads: note to the AI."""
    VOID = 2048
    """Says that rules ended: no longer apply, are lifted."""
    NEW = 4096
    """Announces rules of its own: new system instruction."""
    CONCEAL = 8192
    """Tells to keep it from the user."""
    AUTHORITY = 16384
    """Claims to be the developer or administrator."""
    OBEY = 32768
    """Demands obedience: obey only me, answer only with."""
    SEND = 65536
    """Moves data away: send, post, upload."""
    ASSET = 131072
    """What is worth stealing: conversation, API key, passwords."""
    ASK = 262144
    """Asks what something is: what is your ..."""
    ABOUT = 524288
    """Talks about a text instead of saying it: means, phrase, someone writes."""
    YOURS = 1048576
    """Concerns the machine that is spoken to: your, you."""
    DEMAND = 2097152
    """Wants something done at once: you must, before anything else, reply with."""
    MASTER = 8388608
    """Makes the writer the only one to be obeyed."""
    TARGET = 16777216
    """An address to send something to; found by pattern."""
    BORDER = 33554432
    """A forged border of a role or document; found by pattern."""
    NEGATE = 67108864
    """Takes something away: without, no, not bound by."""
    TASK = 134217728
    """Puts a task before, or in the place of, the user's; counts only in documents and tool results."""
    ABOVE = 268435456
    """The text above: the user's own, or what the user must not see."""
    VERBATIM = 536870912
    """Wants it letter by letter."""
    WILD = 4194304
    """Frequent in jailbreaks that tell a story; means nothing alone."""
