"""An object or array that is still open: what has been read of it, and where the next value goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_prodkit.parse.document.leaf import UNREADABLE
from langchain_prodkit.parse.document.plan import MISSING, Arr, Choice, Obj, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Frame", "holder", "is_told_by"]


class Frame:
    """An open object or array."""

    __slots__ = (
        "arr", "attr", "child", "count", "is_object", "name",
        "obj", "outer", "pending", "plan", "read", "values",
    )  # fmt: skip

    def __init__(self, plan: Plan | None, *, is_object: bool) -> None:
        self.is_object = is_object
        self.plan = plan
        self.obj: Obj | Choice | None = plan.obj if plan and is_object else None
        self.arr: Arr | None = plan.arr if plan and not is_object else None
        self.values: Any = dict(self.obj.blank) if isinstance(self.obj, Obj) else ({} if is_object else [])
        self.read: set[str] = set()
        self.attr: Any = MISSING
        """Where the value that comes next is put."""
        self.child: Plan | None = None
        self.name = ""
        """The key that was read last."""
        self.count = 0
        self.pending: dict[str, str] = {}
        """Scalars of an object of which nobody knows yet which it is: key -> JSON."""
        self.outer: list[str] | None = None
        """The parts of the surrounding unit, while this one's are collected."""

    def shown(self, inner: Any) -> Any:
        """Build what there is, with `inner` as the value that is still open."""
        if self.is_object:
            if not isinstance(self.obj, Obj):
                return MISSING
            values, read = self.values.copy(), self.read.copy()
            if inner is not MISSING and self.attr is not MISSING:
                values[self.attr] = inner
                read.add(self.attr)
            return self.obj.make(values, read)
        if self.arr is None:
            return MISSING
        items = self.values.copy()
        if inner is not MISSING:
            items.append(inner)
        try:
            return self.arr.make(items)
        except TypeError:  # a set of what cannot be hashed
            return MISSING

    def put(self, value: Any) -> bool:
        """Keep a value that is complete; tells whether it will be shown."""
        if self.is_object:
            if value is MISSING or self.attr is MISSING:
                return False
            self.values[self.attr] = value
            self.read.add(self.attr)
            return True
        if self.arr is None:
            return False
        if value is MISSING:
            # Without this item the ones after it would stand in wrong places.
            self.arr = Arr(self.arr.make, [], None)
            return False
        self.values.append(value)
        return True

    def begin_item(self) -> None:
        """Find the plan of an array's next item."""
        self.child = None if self.arr is None else self.arr.item(self.count)
        self.count += 1

    def aim(self) -> bool:
        """Find where the value of the key at hand is put; tells whether the type names that key."""
        self.attr, self.child = MISSING, None
        obj = self.obj
        if not isinstance(obj, Obj):
            return False
        found = obj.fields.get(self.name)
        if found is not None:
            self.attr, self.child = found
        elif obj.extra is not None:
            key = self.name if obj.key is None else obj.key.key(self.name)
            if key is not UNREADABLE:
                self.attr, self.child = key, obj.extra
        return found is not None or obj.is_mapping

    def decide(self, obj: Obj, read: Callable[[Plan, str], Any]) -> None:
        """Go on as the object that this turned out to be, with what was read before."""
        self.obj, self.values = obj, dict(obj.blank)
        name = self.name
        for key, raw in self.pending.items():
            self.name = key
            self.aim()
            if self.child is not None:
                self.put(read(self.child, raw))
        self.name = name
        self.aim()


def is_told_by(obj: Obj | Choice | None, name: str) -> bool:
    """Tell whether a key says that an object is of this kind."""
    if isinstance(obj, Obj):
        return obj.knows(name)
    if obj is None:
        return False
    return name in obj.tags or any(one.knows(name) for one in [*obj.members, *obj.table.values()])


def holder(name: str, plan: Plan) -> Obj:
    """Stand for the object around a value that is none."""
    return Obj(make=lambda values, _: values.get(name, MISSING), fields={name: (name, plan)})
