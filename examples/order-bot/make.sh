#!/bin/sh
# Makes the bot: a Telegram channel, an API call, the flow, and a trigger for the shop. Prints what the next steps need.
#
#   BASE, TOKEN      of the line that `./switchhook dev` prints
#   TELEGRAM_TOKEN   from @BotFather
#   SHIPPING_URL     your API: it gets {"order": "…"} and answers {"responses": ["It arrives tomorrow."]}
#   TELEGRAM_API     another Bot API server, for trying without Telegram
set -eu
here=$(dirname -- "$0")

post() { curl -sS --fail-with-body "$BASE$1" -H "authorization: Bearer $TOKEN" -d "$2"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
flow() { python3 -c 'import json, sys; print(json.dumps({"bot": sys.argv[1], "document": open(sys.argv[2]).read()}))' "$@"; }

bot=$(post /v1/bots '{"name": "Shop"}' | field id)
channel=$(post /v1/channels "{\"bot\": \"$bot\", \"type\": \"telegram\", \"name\": \"Shop on Telegram\",
  \"credentials\": {\"token\": \"$TELEGRAM_TOKEN\"}, \"api_base_url\": \"${TELEGRAM_API:-https://api.telegram.org}\"}")
post /v1/api-calls "{\"name\": \"shipping\", \"method\": \"POST\", \"url\": \"$SHIPPING_URL\"}" >/dev/null
flow=$(post /v1/flows "$(flow "$bot" "$here/order.yaml")" | field id)
post "/v1/flows/$flow/publish" '{}' >/dev/null
trigger=$(post /v1/triggers "{\"flow\": \"$flow\", \"entry\": \"ordered\", \"channel_id\": \"$(echo "$channel" | field id)\",
  \"new_token\": {\"name\": \"shop\"}}")

echo "BOT='$bot'"
echo "CHANNEL='$(echo "$channel" | field id)'"
echo "INBOUND_URL='$(echo "$channel" | field inbound_url)'"
echo "INBOUND_SECRET='$(echo "$channel" | field secret_token)'"
echo "RUN_URL='$(echo "$trigger" | field url)'"
echo "SHOP_TOKEN='$(echo "$trigger" | field token)'"
