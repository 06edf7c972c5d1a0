"""A django-fsm field that only transitions may change, and a queryset that keeps bulk writes away from it.

django-fsm's own mixins flip a class-level flag while they refresh a row, and another thread writes meanwhile;
here the permission to write stands on the instance, for as long as that instance reloads itself.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, override

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django_fsm import FSMField, FSMFieldDescriptor

_RELOADING = "_stageboard_reloading"


class ProtectedStateDescriptor(FSMFieldDescriptor):
    """Refuses assignment, except of an equal value and while the instance reloads itself from the database."""

    @override
    def __set__(self, instance: Any, value: Any) -> None:
        name = self.field.name
        if name in instance.__dict__ and not getattr(instance._state, _RELOADING, False):
            if instance.__dict__[name] == value:
                return
            raise AttributeError(f"{type(instance).__name__}.{name} changes by transitions only.")
        self.field.set_proxy(instance, value)
        self.field.set_state(instance, value)


class ProtectedStateField(FSMField):
    """An FSM state that no assignment changes: only the transitions declared on its model do."""

    descriptor_class = ProtectedStateDescriptor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["protected"] = True
        super().__init__(*args, **kwargs)

    @override
    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("protected", None)
        return name, path, args, kwargs


class ProtectedStateModel(models.Model):
    """Lets a model with a `ProtectedStateField` reload itself, on this instance only."""

    class Meta:
        abstract = True

    @override
    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        setattr(self._state, _RELOADING, True)
        try:
            super().refresh_from_db(*args, **kwargs)
        finally:
            setattr(self._state, _RELOADING, False)


class ProtectedStateQuerySet[ModelT: models.Model](models.QuerySet[ModelT]):
    """Refuses bulk writes of protected states and of what is computed from them.

    `also_protected` names plain fields that only the verbs may write, because they belong to the state.
    """

    also_protected: ClassVar[frozenset[str]] = frozenset()

    def _refuse(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                field = self.model._meta.get_field(name)
            except FieldDoesNotExist:
                continue
            if isinstance(field, ProtectedStateField) or field.name in self.also_protected:
                raise AttributeError(f"{self.model.__name__}.{field.name} changes through its verbs only.")

    @override
    def update(self, **kwargs: Any) -> int:
        self._refuse(kwargs)
        return super().update(**kwargs)

    update.alters_data = True  # type: ignore[attr-defined]

    @override
    def bulk_update(self, objs: Iterable[ModelT], fields: Iterable[str], *args: Any, **kwargs: Any) -> int:
        names = list(fields)
        self._refuse(names)
        return super().bulk_update(objs, names, *args, **kwargs)

    bulk_update.alters_data = True  # type: ignore[attr-defined]

    @override
    def bulk_create(self, objs: Iterable[ModelT], *args: Any, **kwargs: Any) -> list[ModelT]:
        rows = list(objs)
        for row in rows:
            for field in self.model._meta.concrete_fields:
                if isinstance(field, ProtectedStateField) and getattr(row, field.attname) != field.get_default():
                    raise AttributeError(f"{self.model.__name__}.{field.name} starts at its default.")
        return super().bulk_create(rows, *args, **kwargs)

    bulk_create.alters_data = True  # type: ignore[attr-defined]
