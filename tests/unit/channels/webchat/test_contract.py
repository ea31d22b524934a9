from channels.webchat import CONNECTOR
from support.channel_contract import ChannelContract


class TestWebChat(ChannelContract):
    connector = CONNECTOR
