"""Static files under names that carry a hash of their content."""

from servestatic.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # no types upstream
    """Rewrites the imports of our ES modules too, so that a page never mixes old and new modules."""

    support_js_module_import_aggregation = True
