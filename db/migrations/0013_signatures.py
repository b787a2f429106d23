"""Approvals to publish that are signed, and the rules that ask for it."""

from tortoise import fields, migrations
from tortoise.migrations.operations import AddField, RunSQL

# A signature is whole or absent, and of an approval; the moment of the signature is that of the decision.
SIGNED = RunSQL(
    """
    ALTER TABLE publish_request ADD CONSTRAINT publish_request_signed CHECK (
        num_nonnulls(signed_by, signed_at, signature_meaning, signature) IN (0, 4)
        AND (signature IS NULL
            OR (status = 'APPROVED' AND signature_meaning = 'approved' AND signed_at = decided_at)))""",
    reverse_sql="ALTER TABLE publish_request DROP CONSTRAINT publish_request_signed",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0012_parents")]

    operations = [
        AddField(model_name="PublishRule", name="signature", field=fields.BooleanField(null=True)),
        AddField(model_name="PublishRequest", name="signed_by", field=fields.UUIDField(null=True)),
        AddField(model_name="PublishRequest", name="signed_at", field=fields.DatetimeField(null=True)),
        AddField(model_name="PublishRequest", name="signature_meaning", field=fields.TextField(null=True)),
        AddField(model_name="PublishRequest", name="signature", field=fields.TextField(null=True)),
        SIGNED,
    ]
