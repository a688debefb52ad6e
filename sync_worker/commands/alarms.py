"""`alarms test`: whether alarms would reach anybody."""

from sync_worker.channels import Channel, Message, channels_of
from sync_worker.commands import setup
from sync_worker.commands.errors import DONE, PARTLY, say
from sync_worker.errors import NotTold


def test() -> int:
    """Send a message by every way that the settings name. 1 if one fails, or if there is none."""
    settings, clock = setup.load()
    channels = channels_of(settings, clock)
    if not channels:
        say("Nobody is told of alarms: set SYNC_ALERT_EMAIL_TO or SYNC_ALERT_WEBHOOK_URL. They stand in the log alone.")
        return PARTLY
    practice = settings.practice_name or "sync-worker"
    text = "This is a test: alarms reach you this way. Nothing is wrong."
    message = Message(f"{practice}: a test", text, {"kind": "test", "practice": practice})
    return DONE if all([_sent(channel, message) for channel in channels]) else PARTLY


def _sent(channel: Channel, message: Message) -> bool:
    try:
        channel.send(message)
    except NotTold as error:
        say(str(error))
        return False
    finally:
        channel.close()
    say(f"Sent by {channel.name}: look whether it arrived.")
    return True
