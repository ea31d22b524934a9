"""Starts the order bot's flow for a person, and says what became of it. Usage: order.py ORDER_ID PEER_ID

PROJECT, BOT, CHANNEL: ids, as examples/order-bot/make.sh prints the last two. TOKEN: one with the scope flows:execute. Kafka by
the settings SWITCHHOOK_KAFKA….
"""

import asyncio
import os
import sys

from switchhook_sdk import Outcome, OutcomeUnknown, Switchhook

switchhook = Switchhook.from_environment(project=os.environ["PROJECT"])
commands = switchhook.commands(os.environ["TOKEN"], source="shop")


async def order(order_id: str, peer_id: str) -> Outcome:
    """The order's id is the command's: however often this is run, the flow starts once."""
    return await commands.start(
        bot=os.environ["BOT"],
        person={"channel_id": os.environ["CHANNEL"], "peer_id": peer_id},
        flow="order",
        entry="ordered",
        variables={"order_id": order_id},
        id=f"order-{order_id}",
        wait=20,
    )


async def main() -> None:
    """One order by the command line; a service keeps its broker open instead."""
    await switchhook.broker.start()
    try:
        outcome = await order(*sys.argv[1:])
    except OutcomeUnknown as unknown:
        sys.exit(str(unknown))
    finally:
        await switchhook.broker.stop()
    print(f"{outcome.problem.type}: {outcome.problem.detail}" if outcome.problem else outcome.status)


if __name__ == "__main__":
    asyncio.run(main())
