from channels.http import CONNECTOR
from support.channel_contract import ChannelContract


class TestHttp(ChannelContract):
    connector = CONNECTOR
