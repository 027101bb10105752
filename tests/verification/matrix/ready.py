"""Load what a bot needs, once, in the server that the bots are forked from."""

from __future__ import annotations

import gc
import inspect

import boto3

import bot.__main__
import bot.app  # noqa: F401  # with all that it imports

inspect.stack()  # Bolt asks for it; the first answer looks at every module there is
boto3.Session(
    aws_access_key_id="none", aws_secret_access_key="none", region_name="us-east-1"
).client("iam").close()

gc.collect()
gc.freeze()  # what all bots share is not copied into each of them by its collector
