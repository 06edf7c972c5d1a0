"""Who the business sells to: customers (a firm or a person) and the contacts that are written to."""

from typing import Any, override

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from opportunities.keys import comparison_key


class Customer(models.Model):
    """A firm or a person that the business sells to."""

    class Kind(models.TextChoices):
        """A firm has contacts; a person is their own."""

        FIRM = "firm", _("Firm")
        PERSON = "person", _("Person")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.FIRM)
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("e-mail"), blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    address = models.TextField(_("address"), blank=True)
    notes = models.TextField(_("notes"), blank=True)
    search_key = models.CharField(max_length=400, editable=False, db_index=True)
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints = (
            models.CheckConstraint(condition=~Q(name=""), name="customer_name_not_blank"),
            models.CheckConstraint(condition=Q(kind__in=("firm", "person")), name="customer_kind_known"),
        )

    @override
    def __str__(self) -> str:
        return self.name

    @override
    def save(self, *args: Any, **kwargs: Any) -> None:
        self.search_key = comparison_key(f"{self.name} {self.email} {self.phone}")[:400]
        super().save(*args, **kwargs)


class Contact(models.Model):
    """A person at a customer: who is called and written to."""

    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="contacts", verbose_name=_("customer")
    )
    name = models.CharField(_("name"), max_length=120)
    role = models.CharField(_("role"), max_length=80, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    active = models.BooleanField(_("active"), default=True)
    search_key = models.CharField(max_length=400, editable=False, db_index=True)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        constraints = (models.CheckConstraint(condition=~Q(name=""), name="contact_name_not_blank"),)

    @override
    def __str__(self) -> str:
        return self.name

    @override
    def save(self, *args: Any, **kwargs: Any) -> None:
        self.search_key = comparison_key(f"{self.name} {self.email} {self.phone}")[:400]
        super().save(*args, **kwargs)
