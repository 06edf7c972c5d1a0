"""What this product keeps of a colleague beside the account, which is Django's."""

from typing import override

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class PersonPhone(models.Model):
    """The phone by which customers reach a colleague: it stands in mails that name the salesperson's (section 7).

    No row: there is none.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="phone_of_person"
    )
    phone = models.CharField(_("phone"), max_length=40)

    class Meta:
        verbose_name = _("phone of a person")
        verbose_name_plural = _("phones of people")
        constraints = (models.CheckConstraint(condition=~Q(phone=""), name="person_phone_not_blank"),)

    @override
    def __str__(self) -> str:
        return self.phone

    @classmethod
    def of(cls, person_id: int | None) -> str:
        """Return a person's phone; empty where there is none. One statement."""
        return cls.objects.filter(pk=person_id).values_list("phone", flat=True).first() or ""
