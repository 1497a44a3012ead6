from django.db.models import TextChoices


class DeliveryState(TextChoices):
    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Being sent"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"
    WITHDRAWN = "withdrawn", "Not sent"


OPEN_STATES = (DeliveryState.WAITING, DeliveryState.SENDING)
ENDED_STATES = (DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.WITHDRAWN)
