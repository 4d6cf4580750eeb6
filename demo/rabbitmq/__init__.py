"""The same two servers with their records going to RabbitMQ, which is killed meanwhile."""
