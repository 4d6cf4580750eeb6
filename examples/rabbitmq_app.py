"""Deliver records to RabbitMQ in the background, and say what became of them.

Try it, with a broker at hand:

    RABBITMQ_HOST=127.0.0.1 RABBITMQ_PORT=5672 python examples/rabbitmq_app.py
"""

import os

import phanos

phanos.profiler.dict_config(
    {
        "job": "mill",
        "handlers": {
            "rabbitmq": {
                "class": "phanos.handlers.ImpProfHandler",
                "handler_name": "rabbitmq",
                "host": os.environ.get("RABBITMQ_HOST", "127.0.0.1"),
                "port": int(os.environ.get("RABBITMQ_PORT", "5672")),
                "user": os.environ.get("RABBITMQ_USER"),
                "password": os.environ.get("RABBITMQ_PASSWORD"),
                # Records that memory cannot hold, or that this process leaves behind.
                "spool_directory": os.environ.get("RABBITMQ_SPOOL"),
            }
        },
    }
)


@phanos.profile
def grind(sack):
    return sum(sack)


@phanos.profile
def mill():
    return sum(grind(range(number)) for number in range(1000))


def main():
    print(f"ground {mill()}")
    handler = phanos.profiler.handlers["rabbitmq"]
    # The end of the interpreter does the same, without saying what came of it.
    delivered = handler.close(timeout=5.0)
    stats = handler.stats()
    print(f"all delivered: {delivered}")
    print(f"{stats['confirmed']} records in {stats['messages']} messages confirmed")


if __name__ == "__main__":
    main()
