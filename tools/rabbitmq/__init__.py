"""
RabbitMQ for tests, demo and benchmarks: private nodes that need no service and no root.

`make .rabbitmq/.installed` unpacks Debian's packages into `.rabbitmq/` (`packages.py`), or
finds that the machine has RabbitMQ already (`installation.py`). `Node` runs it (`node.py`),
`Commands` administers it (`commands.py`). The standard library is all these need.
"""

from .commands import CommandError, Commands
from .installation import Installation, MissingRabbitmqError
from .node import Node, StartError
from .settings import Certificates, Settings

__all__ = [
    "Certificates",
    "CommandError",
    "Commands",
    "Installation",
    "MissingRabbitmqError",
    "Node",
    "Settings",
    "StartError",
]
