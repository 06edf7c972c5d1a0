"""The words that mails to customers begin with: edited, looked at, reset; never removed, renamed or switched off."""

from typing import Any, override

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from opportunities import mail
from opportunities.admin.base import AdminPage
from opportunities.admin.site import site
from opportunities.http import Request
from opportunities.models import EmailTemplate


class TemplateForm(forms.ModelForm[EmailTemplate]):
    """Subject and text; a placeholder that the template does not know is refused with those that it does (D37)."""

    class Meta:
        model = EmailTemplate
        fields = ("subject", "body")
        widgets = {
            "subject": forms.TextInput(attrs={"class": "vTextField"}),
            "body": forms.Textarea(attrs={"rows": 16, "class": "vLargeTextField"}),
        }

    @override
    def clean(self) -> dict[str, Any] | None:
        given = super().clean() or self.cleaned_data
        try:
            mail.check(given.get("subject", ""), given.get("body", ""), self.instance.key)
        except ValidationError as error:
            for name, said in error.message_dict.items():
                if name not in self.errors:
                    self.add_error(name, said)
        return given


@admin.register(EmailTemplate, site=site)
class TemplatePage(AdminPage):
    """The templates of the product."""

    form = TemplateForm
    fields = ("subject", "body")
    list_display = ("name", "subject")
    list_display_links = ("name",)
    sortable_by = ()
    ordering = ("pk",)
    actions = None
    change_form_template = "admin/setup/mail_template.html"

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        for key in mail.PLACEHOLDERS:
            mail.template(key)
        return super().changelist_view(request, extra_context)

    @admin.display(description=gettext_lazy("mail"))
    def name(self, template: EmailTemplate) -> str:
        """What the template is called."""
        return str(mail.NAMES[template.key])

    @override
    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        template: EmailTemplate = context["original"]
        form = context["adminform"].form
        words = [str(form[name].value() or "") for name in ("subject", "body")]
        known = not mail.unknown("\n".join(words), template.key)
        context |= {
            "placeholders": [(name, mail.MEANINGS[name]) for name in mail.PLACEHOLDERS[template.key]],
            "preview": mail.example(template.key, *words, business=request.business) if known else None,
            "reset_url": reverse("admin:opportunities_emailtemplate_reset", args=[template.pk]),
            "is_default": tuple(words) == mail.default(template.key),
        }
        response = super().render_change_form(request, context, *args, **kwargs)
        response.context_data["title"] = mail.NAMES[template.key]
        return response

    @override
    def response_change(self, request: HttpRequest, obj: EmailTemplate) -> HttpResponse:
        self.message_user(request, _("“%(name)s” was saved.") % {"name": mail.NAMES[obj.key]}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:opportunities_emailtemplate_change", args=[obj.pk]))

    @override
    def save_model(self, request: Any, obj: EmailTemplate, form: Any, change: bool) -> None:
        words = {name: form.cleaned_data[name] for name in ("subject", "body")}
        mail.edit_template(key=obj.key, **words, actor=request.user, now=request.now)

    @override
    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.reset_view))
        return [path("<int:pk>/reset/", view, name="opportunities_emailtemplate_reset"), *super().get_urls()]

    def reset_view(self, request: Request, pk: int) -> HttpResponse:
        """Ask, then give the template its first words back (C2.2)."""
        template = EmailTemplate.objects.get(pk=pk)
        back = reverse("admin:opportunities_emailtemplate_change", args=[pk])
        if request.method == "POST":
            mail.reset_template(key=template.key, actor=request.user, now=request.now)
            self.message_user(request, _("The words are the first ones again."), messages.SUCCESS)
            return HttpResponseRedirect(back)
        subject, body = mail.default(template.key)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Reset “%(name)s”?") % {"name": mail.NAMES[template.key]},
            "opts": self.opts,
            "template": template,
            "subject": subject,
            "body": body,
            "back": back,
        }
        return TemplateResponse(request, "admin/setup/mail_reset.html", context)


site.describe(
    22, "business", EmailTemplate, gettext_lazy("The words that mails to customers begin with, and their placeholders.")
)
