"""Stripe: its API, which takes forms (https://docs.stripe.com/api)."""

from jobs.connectors.declarations import Action, HeaderAuth, LastIdPages, Provider, needed, optional

_METADATA = optional("Texts of your own by name.", "object")

PROVIDER = Provider(
    name="stripe",
    title="Stripe",
    base_url="https://api.stripe.com/v1",
    auth=HeaderAuth(secret="apiKey"),  # noqa: S106 - the secret's name
    headers={"stripe-version": "2024-06-20"},
    encoding="form",
    error="error.message",
    test="test",
    documentation="The key is a secret key, better a restricted one (`rk_…`). Amounts are whole numbers in the "
    "currency's smallest unit. Requests that change something carry the step's idempotency key, which Stripe heeds.",
    actions={
        "test": Action(title="Read the balance", method="GET", path="/balance"),
        "createCustomer": Action(
            title="Make a customer",
            method="POST",
            path="/customers",
            input={
                "email": optional("The address."),
                "name": optional("The full name."),
                "description": optional("For yourself."),
                "metadata": _METADATA,
            },
        ),
        "getCustomer": Action(
            title="Read a customer", method="GET", path="/customers/{id}", input={"id": needed("cus_…")}
        ),
        "listCustomers": Action(
            title="List customers",
            method="GET",
            path="/customers",
            input={
                "email": optional("Only those with this address."),
                "limit": optional("Elements of a page, at most 100.", "integer"),
            },
            output="data",
            pages=LastIdPages(more="has_more", into="starting_after"),
        ),
        "createPaymentIntent": Action(
            title="Begin a payment",
            method="POST",
            path="/payment_intents",
            input={
                "amount": needed("In the smallest unit.", "integer"),
                "currency": needed("Three letters, such as eur."),
                "customer": optional("cus_…"),
                "description": optional("For yourself."),
                "metadata": _METADATA,
            },
        ),
        "getPaymentIntent": Action(
            title="Read a payment", method="GET", path="/payment_intents/{id}", input={"id": needed("pi_…")}
        ),
        "createRefund": Action(
            title="Give money back",
            method="POST",
            path="/refunds",
            input={
                "payment_intent": needed("pi_…"),
                "amount": optional("A part, in the smallest unit; all of it when left out.", "integer"),
                "reason": optional("duplicate, fraudulent or requested_by_customer."),
                "metadata": _METADATA,
            },
        ),
    },
)
